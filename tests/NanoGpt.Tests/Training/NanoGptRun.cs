// A training run of the reference implementation: hyperparameters, batches, and what each step gave.

using System.Text;
using System.Text.Json;
using NanoGpt.Data;
using NanoGpt.Formats;
using NanoGpt.Tokenization;
using NanoGpt.Training;
using TorchSharp;

namespace NanoGpt.Tests.Training;

/// <summary>One of the runs under Vectors/train.</summary>
internal sealed class NanoGptRun
{
    private readonly JsonElement _root;

    public NanoGptRun(string name)
    {
        Name = name;
        _root = JsonDocument.Parse(File.ReadAllBytes(Vectors.Path("train", name + ".json"))).RootElement;
        Steps = [.. _root.GetProperty("steps").EnumerateArray()];
    }

    public string Name { get; }

    public IReadOnlyList<JsonElement> Steps { get; }

    public bool Bias => _root.GetProperty("model_args").GetProperty("bias").GetBoolean();

    public GPTConfig Config => new()
    {
        NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 32, VocabSize = 65, Bias = Bias,
        Activation = _root.GetProperty("activation").GetString() == "exact" ? ActivationFunction.Gelu : ActivationFunction.GeluNew,
    };

    public TrainerOptions Options(string outDir)
    {
        var h = _root.GetProperty("hyperparameters");
        return new TrainerOptions
        {
            OutDir = outDir,
            LearningRate = h.GetProperty("learning_rate").GetDouble(),
            MinLr = h.GetProperty("min_lr").GetDouble(),
            WarmupIters = h.GetProperty("warmup_iters").GetInt32(),
            LrDecayIters = h.GetProperty("lr_decay_iters").GetInt32(),
            WeightDecay = h.GetProperty("weight_decay").GetDouble(),
            Beta1 = h.GetProperty("beta1").GetDouble(),
            Beta2 = h.GetProperty("beta2").GetDouble(),
            GradClip = h.GetProperty("grad_clip").GetDouble(),
            GradientAccumulationSteps = h.GetProperty("gradient_accumulation_steps").GetInt32(),
            MaxIters = h.GetProperty("max_iters").GetInt32() - 1, // nanoGPT takes one step more than max_iters
            BatchSize = 8,
            EvalInterval = 1000,
            EvalIters = 1,
            Tensorboard = false,
            Report = false,
        };
    }

    /// <summary>A model with the run's initial weights.</summary>
    public GPT NewModel()
    {
        var gpt = NewModel(Config);
        Load(gpt.Network, $"init-{(Bias ? "bias" : "nobias")}.nanogpt.safetensors");
        return gpt;
    }

    public static GPT NewModel(GPTConfig config, int seed = 1)
    {
        torch.set_num_threads(1); // of this thread: teams of OpenMP wait for each other where tests run side by side
        return new GPT(config, new CharacterTokenizer(Enumerable.Range(' ', Math.Min(config.VocabSize, 60)).Select(c => new Rune(c))), seed);
    }

    /// <summary>Largest difference between the network's weights and the reference's final ones, key biases left out.</summary>
    /// <remarks>The gradient of a key bias is zero in exact arithmetic; AdamW makes noise of 6e-4 out of what rounding leaves.</remarks>
    public double FinalWeightsDifference(GPTModel network)
    {
        using var scope = torch.NewDisposeScope();
        using var file = SafetensorsFile.Open(Vectors.Path("train", Name + ".final.safetensors"));
        var largest = 0.0;
        foreach (var (name, parameter) in network.named_parameters())
        {
            var difference = (parameter.detach() - Read(file, "transformer." + name)).abs();
            if (name.EndsWith("c_attn.bias", StringComparison.Ordinal))
                difference = torch.cat([difference.narrow(0, 0, 32), difference.narrow(0, 64, 32)]);
            largest = Math.Max(largest, difference.max().item<float>());
        }

        return largest;
    }

    public static unsafe torch.Tensor Read(SafetensorsFile file, string name)
    {
        var info = file.Tensors[name];
        var tensor = torch.empty(info.Shape, torch.float32);
        file.Bytes(name).CopyTo(tensor.bytes);
        return tensor;
    }

    private static void Load(GPTModel network, string name)
    {
        using var scope = torch.NewDisposeScope();
        using var noGrad = torch.no_grad();
        using var file = SafetensorsFile.Open(Vectors.Path("train", name));
        foreach (var (parameterName, parameter) in network.named_parameters())
            parameter.copy_(Read(file, "transformer." + parameterName));
    }

    /// <summary>Trains on the run's own batches.</summary>
    /// <returns>The loss of each step, and all parameters after the last.</returns>
    public static (double[] Losses, float[] Weights) Train(GPT gpt, TrainerOptions options, bool dispose = true)
    {
        try
        {
            var steps = new List<TrainingProgress>();
            new Trainer(gpt, options).TrainOn(new NanoGptBatches(), new Listener(steps, TrainingEvent.Iteration), TestContext.Current.CancellationToken);
            return ([.. steps.Select(step => step.Loss)], Weights(gpt));
        }
        finally
        {
            if (dispose) gpt.Dispose();
        }
    }

    /// <summary>All parameters, one after the other.</summary>
    public static float[] Weights(GPT gpt) => [.. gpt.Network.parameters().SelectMany(p => p.data<float>().ToArray())];
}

/// <summary>The reference's batches: one for each micro step.</summary>
internal sealed class NanoGptBatches : IBatches
{
    private readonly long[] _x, _y;
    private readonly int _accumulation;

    public NanoGptBatches(int accumulation = 1)
    {
        _accumulation = accumulation;
        using var file = SafetensorsFile.Open(Vectors.Path("train", "batches.safetensors"));
        _x = Longs(file, "x");
        _y = Longs(file, "y");
    }

    public long TrainTokens => 1_000_000;

    public string Source => "batches.safetensors";

    public string Fingerprint { get; set; } = "nanoGPT's";

    /// <summary>Called when a run checks its data, with the vocabulary and the block size.</summary>
    public Action<int, int>? OnCheck { get; set; }

    /// <summary>Called before each batch of a step is given.</summary>
    public Action<BatchPlace>? OnStep { get; set; }

    /// <summary>Called before each batch of an evaluation is given.</summary>
    public Action<BatchPlace>? OnEvaluation { get; set; }

    /// <summary>Which batches have nothing to be learned.</summary>
    public Predicate<BatchPlace> IsMasked { get; set; } = _ => false;

    public void Check(int vocabSize, int blockSize) => OnCheck?.Invoke(vocabSize, blockSize);

    public void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y)
    {
        (place.Evaluation ? OnEvaluation : OnStep)?.Invoke(place);
        var batch = place.Evaluation ? place.Index % 50 : (int)(place.Iteration * _accumulation + place.Index) % 50;
        _x.AsSpan(batch * x.Length, x.Length).CopyTo(x);
        _y.AsSpan(batch * y.Length, y.Length).CopyTo(y);
        if (IsMasked(place)) y.Fill(-1);
    }

    public string Describe(BatchPlace place, int batchSize, int blockSize) => $"micro batch {place.Iteration * _accumulation + place.Index}";

    private static long[] Longs(SafetensorsFile file, string name) =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(file.Bytes(name)).ToArray();
}
