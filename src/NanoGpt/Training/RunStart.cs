// How a run is set up: options completed, device and data checked, the output folder taken, and either a beginning or the
// state of a checkpoint. If anything here fails the model has not changed.

using System.Globalization;
using Microsoft.Extensions.Logging;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>Makes a <see cref="TrainingRun"/>.</summary>
internal static class RunStart
{
    private const int GpuAccumulationSteps = 40; // nanoGPT's default, 5 * 8
    private const int LongestWarmup = 2000;      // nanoGPT's default

    /// <exception cref="ArgumentException">The options don't fit the model, the data or the device.</exception>
    /// <exception cref="CheckpointException">The output folder cannot be used, or there is nothing whole to resume from.</exception>
    public static TrainingRun Start(
        GPT gpt, TrainerOptions options, IBatches data, IProgress<TrainingProgress>? progress, ILogger log)
    {
        if (options.Device is { } name) gpt.To(name);
        var network = gpt.Network;
        var device = DeviceOf(network);
        var isGpu = device.type != TorchSharp.DeviceType.CPU;
        options = Complete(options, network.Config, isGpu);
        Preflight.Check(options, network.Config, data);

        var voice = new RunVoice(progress, log);
        void Say(TrainingEvent what, string text) => voice.Say(new TrainingProgress { Event = what, Text = text, MaxIters = options.MaxIters });

        var folder = new OutputFolder(options.OutDir);
        FusedAdamW? optimizer = null;
        RunFiles? files = null;
        try
        {
            foreach (var notice in Preflight.Notices(options, network.Config, data)) Say(TrainingEvent.Notice, notice);
            var memory = isGpu ? 0 : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            foreach (var warning in Preflight.Warnings(options, network.Config, memory)) Say(TrainingEvent.Warning, warning);

            optimizer = MakeOptimizer(network, options);
            var checkpoints = new CheckpointStore(folder.FullPath, options.KeepCheckpoints);
            checkpoints.CleanLeftovers();
            var state = options.ResumeFrom is { } source ? Resume(source, network, optimizer, Say) : null;
            if (state is null && folder.SetEarlierRunAside())
                Say(TrainingEvent.Notice, $"{folder.FullPath} has an earlier run: moved to {Path.Combine(options.OutDir, "previous")}");
            if (state is not null && state.Seed != options.Seed)
                Say(TrainingEvent.Warning, $"seed is {options.Seed}, the checkpoint's was {state.Seed}: the batches will be others than the undisturbed run's");

            files = new RunFiles(folder.FullPath, state, options.Tensorboard);
            voice.WriteTo(files);
            state = (state ?? new TrainerState()) with { Seed = options.Seed, Options = options.ToDictionary() };
            files.Start(state.Iteration, About(options, network.Config));
            return new TrainingRun(
                gpt, device, options, data, optimizer, state, folder, checkpoints, files, voice,
                TrainingTelemetry.Activities.StartActivity("nanogpt.train"));
        }
        catch
        {
            files?.Dispose();
            optimizer?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>The options with their nulls filled in.</summary>
    /// <exception cref="ArgumentException">The device cannot compute in the type asked for.</exception>
    public static TrainerOptions Complete(TrainerOptions options, GPTConfig config, bool isGpu)
    {
        if (!isGpu && options.Dtype == Dtype.Float16)
            throw new ArgumentException("dtype is float16 and the device a CPU, where it takes minutes a step. Use bfloat16: the same range as float32, and fast.");

        return options with
        {
            BlockSize = options.BlockSize ?? config.BlockSize,
            GradientAccumulationSteps = options.GradientAccumulationSteps ?? (isGpu ? GpuAccumulationSteps : 1),
            WarmupIters = options.WarmupIters ?? Math.Min(LongestWarmup, options.MaxIters / 10),
            LrDecayIters = options.LrDecayIters ?? Math.Max(options.MaxIters, options.WarmupIters ?? 0),
            MinLr = options.MinLr ?? options.LearningRate / 10,
            Dtype = options.Dtype ?? Dtype.Float32,
        };
    }

    // Asking makes a tensor, which must not be left in the caller's scope.
    private static Device DeviceOf(GPTModel network)
    {
        using var scope = NewDisposeScope();
        return network.Device;
    }

    // As nanoGPT's configure_optimizers: matrices and embeddings decay, biases and layer norms do not.
    private static FusedAdamW MakeOptimizer(GPTModel network, TrainerOptions options) => new(
        network.named_parameters().Select(p => (p.name, p.parameter, p.parameter.dim() >= 2)),
        new AdamWOptions { Beta1 = options.Beta1, Beta2 = options.Beta2, WeightDecay = options.WeightDecay });

    private static TrainerState Resume(string source, GPTModel network, FusedAdamW optimizer, Action<TrainingEvent, string> say)
    {
        var checkpoint = File.Exists(Path.Combine(source, TrainerState.FileName))
            ? source
            : new CheckpointStore(source, 0).FindNewestWhole((folder, fault) =>
                say(TrainingEvent.Warning, $"{folder} is damaged and passed over: {fault}"));
        if (checkpoint is null)
        {
            throw new CheckpointException(
                $"{Path.GetFullPath(source)}: nothing to resume from: no checkpoint folder (ckpt-...) there is whole. Was out_dir another, or did the run end before its first checkpoint?");
        }

        var state = TrainingCheckpoint.Read(checkpoint, network, optimizer);
        say(TrainingEvent.Notice, string.Create(CultureInfo.InvariantCulture,
            $"resuming from {checkpoint}: iteration {state.Iteration}, best val loss {(state.Best is { } best ? best.Loss.ToString("F4", CultureInfo.InvariantCulture) : "none")}"));
        return state;
    }

    private static Dictionary<string, object?> About(TrainerOptions options, GPTConfig config)
    {
        var about = new Dictionary<string, object?>(options.ToDictionary())
        {
            ["n_layer"] = config.NLayer,
            ["n_head"] = config.NHead,
            ["n_embd"] = config.NEmbd,
            ["vocab_size"] = config.VocabSize,
            ["dropout"] = config.ResidualDropout,
            ["bias"] = config.Bias,
            ["parameters"] = config.CountParameters(),
            ["machine"] = $"{System.Runtime.InteropServices.RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors",
            ["started"] = DateTimeOffset.UtcNow.ToString("u", CultureInfo.InvariantCulture),
        };
        return about;
    }
}
