// How a run is set up: options completed, device and data checked, the output folder taken, and either a beginning or the
// state of a checkpoint. If anything here fails the model has not changed.

using System.Globalization;
using Microsoft.Extensions.Logging;
using NanoGpt.Formats;
using NanoGpt.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>Makes a <see cref="TrainingRun"/>.</summary>
internal static class RunStart
{
    private const int GpuAccumulationSteps = 40; // nanoGPT's default, 5 * 8
    private const int LongestWarmup = 2000;      // nanoGPT's default
    private const double Gpt2LearningRate = 6e-4; // nanoGPT's default, for GPT-2 124M

    /// <exception cref="ArgumentException">The options don't fit the model, the data or the device.</exception>
    /// <exception cref="CheckpointException">The output folder cannot be used, or there is nothing whole to resume from.</exception>
    public static TrainingRun Start(
        GPT gpt, TrainerOptions options, IBatches data, IProgress<TrainingProgress>? progress, ILogger log)
    {
        if (DeviceFor(gpt, options) is { } name) gpt.To(name);
        var network = gpt.Network;
        var device = DeviceOf(network);
        var given = options;
        options = Complete(options, network.Config, device.type) with { Device = device.ToString() };
        Preflight.Check(options, network.Config, data);

        var voice = new RunVoice(progress, log);
        void Say(TrainingEvent what, string text) => voice.Say(new TrainingProgress { Event = what, Text = text, MaxIters = options.MaxIters });

        var folder = new OutputFolder(options.OutDir, isWritten: !options.EvalOnly);
        FusedAdamW? optimizer = null;
        RunFiles? files = null;
        SpeedLevers? levers = null;
        try
        {
            var memory = DeviceMemory.Of(device);
            foreach (var notice in Preflight.Notices(options, network.Config, data, memory)) Say(TrainingEvent.Notice, notice);
            foreach (var warning in Preflight.Warnings(options, network.Config, memory)) Say(TrainingEvent.Warning, warning);

            optimizer = MakeOptimizer(network, options);
            var checkpoints = new CheckpointStore(folder.FullPath, options.KeepCheckpoints);
            if (!options.EvalOnly) checkpoints.CleanLeftovers();
            var resumed = options.ResumeFrom is { } source ? Resume(source, network, optimizer, Say) : null;
            if (resumed is null && !options.EvalOnly && folder.SetEarlierRunAside())
                Say(TrainingEvent.Notice, $"{folder.FullPath} has an earlier run: moved to {Path.Combine(options.OutDir, "previous")}");
            foreach (var (what, text) in resumed is null ? [] : Differences(resumed, given, network.Config, data)) Say(what, text);

            var state = resumed?.State;
            levers = SpeedLevers.Apply(network, device, options, state, warning => Say(TrainingEvent.Warning, warning));
            files = options.EvalOnly ? RunFiles.None() : new RunFiles(folder.FullPath, state, options.Tensorboard, fault => Say(TrainingEvent.Warning, fault));
            voice.WriteTo(files);
            state = (state ?? TrainerState.Beginning(options)) with
            {
                Seed = options.Seed, Options = given.ToDictionary(), UsesOneDnn = levers.UsesOneDnn, UsesManagedPass = levers.UsesManagedPass,
                Data = data.Source, DataFingerprint = data.Fingerprint,
            };
            files.Start(state.Iteration, About(options, network.Config));
            return new TrainingRun(
                gpt, device, options, data, optimizer, levers, state, folder, checkpoints, files, voice,
                TrainingTelemetry.Activities.StartActivity("nanogpt.train"));
        }
        catch (Exception e)
        {
            files?.Dispose();
            optimizer?.Dispose();
            levers?.Dispose();
            folder.Dispose();
            if (e is IOException or UnauthorizedAccessException) throw OutputFolder.Unusable(folder.FullPath, e);
            if (MemoryShortage.IsCauseOf(e)) throw MemoryShortage.At(iteration: 0, network.Config, options, e);
            throw;
        }
    }

    // Where the model is, if somebody has put it on a GPU; else the best there is, as nanoGPT would if its default were kind.
    private static string? DeviceFor(GPT gpt, TrainerOptions options)
    {
        if (options.Device is not null) return options.Device;
        return DeviceOf(gpt.Network).type == DeviceType.CPU && TorchDevice.Best() is var best && !TorchDevice.IsCpu(best) ? best : null;
    }

    /// <summary>What is not as it was when the checkpoint was written, and may well be meant so.</summary>
    private static IEnumerable<(TrainingEvent Event, string Text)> Differences(
        CheckpointContent resumed, TrainerOptions options, GPTConfig config, IBatches data)
    {
        var state = resumed.State;
        const string otherBatches = "the batches will be others than the undisturbed run's";
        if (state.Seed is { } seed && seed != options.Seed)
            yield return (TrainingEvent.Warning, $"seed is {options.Seed}, the checkpoint's was {seed}: {otherBatches}");
        if (state.DataFingerprint is { } before && before != data.Fingerprint)
            yield return (TrainingEvent.Warning, $"{data.Source} is not what the checkpoint was trained on ({state.Data}): {otherBatches}");

        string[] everyRunsOwn = ["out_dir", "resume_from", "max_iters", "seed"];
        var changed = options.ToDictionary().Where(o => !everyRunsOwn.Contains(o.Key) && state.Options.TryGetValue(o.Key, out var was) && Text(was) != Text(o.Value))
            .Select(o => $"{o.Key} {Text(state.Options[o.Key])} -> {Text(o.Value)}").ToList();
        if (Dropout(config) != Dropout(resumed.Config)) changed.Add($"dropout {Dropout(resumed.Config)} -> {Dropout(config)}");
        if (changed.Count > 0) yield return (TrainingEvent.Notice, "changed since the checkpoint: " + string.Join(", ", changed));

        static string Text(object? value) => value is null ? "None" : Convert.ToString(value, CultureInfo.InvariantCulture)!;

        // One number where all three places have the same, as nanoGPT's option.
        static string Dropout(GPTConfig c)
        {
            double[] rates = [c.EmbeddingDropout, c.AttentionDropout, c.ResidualDropout];
            return string.Join('/', (rates.Distinct().Count() == 1 ? rates[..1] : rates).Select(rate => Text(rate)));
        }
    }

    /// <summary>The options with their nulls filled in.</summary>
    /// <exception cref="ArgumentException">The device cannot compute in the type asked for.</exception>
    public static TrainerOptions Complete(TrainerOptions options, GPTConfig config, DeviceType device)
    {
        var isGpu = device != DeviceType.CPU;
        if (device != DeviceType.CUDA && options.Dtype == Dtype.Float16)
            throw new ArgumentException($"dtype is float16 and the device {device}: it is for CUDA, and on a CPU takes minutes a step. Use bfloat16: the same range as float32, and fast.");

        var learningRate = options.LearningRate ?? Gpt2LearningRate * Math.Sqrt((double)GPTConfig.Gpt2.NEmbd / config.NEmbd);
        return options with
        {
            BlockSize = options.BlockSize ?? config.BlockSize,
            GradientAccumulationSteps = options.GradientAccumulationSteps ?? (isGpu ? GpuAccumulationSteps : 1),
            WarmupIters = options.WarmupIters ?? Math.Min(LongestWarmup, options.MaxIters / 10),
            LrDecayIters = options.LrDecayIters ?? Math.Max(options.MaxIters, options.WarmupIters ?? 0),
            LearningRate = learningRate,
            MinLr = options.MinLr ?? learningRate / 10,
            Dtype = options.Dtype ?? (device == DeviceType.CUDA ? Dtype.BFloat16 : Dtype.Float32),
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
        new AdamWOptions
        {
            Beta1 = options.Beta1, Beta2 = options.Beta2, WeightDecay = options.WeightDecay,
            Backend = options.Speed.FusedOptimizer ? AdamWBackend.Auto : AdamWBackend.Plain,
        });

    private static CheckpointContent Resume(string source, GPTModel network, FusedAdamW optimizer, Action<TrainingEvent, string> say)
    {
        var path = FindCheckpoint(source, say);
        var content = File.Exists(path)
            ? TrainingCheckpoint.ReadNanoGpt(path, network, optimizer)
            : TrainingCheckpoint.Read(path, network, optimizer);
        var state = content.State;
        var best = state.Best is { } b ? b.Loss.ToString("F4", CultureInfo.InvariantCulture) : "none";
        say(TrainingEvent.Notice, $"resuming from {path}: iteration {state.Iteration}, best val loss {best}");
        return content;
    }

    /// <summary>A checkpoint folder that is whole, or a nanoGPT file.</summary>
    private static string FindCheckpoint(string source, Action<TrainingEvent, string> say)
    {
        if (File.Exists(source)) return source;
        if (File.Exists(Path.Combine(source, TrainerState.FileName)))
        {
            return CheckpointManifest.FindFault(source) is not { } fault
                ? source
                : throw new CheckpointException($"{source}: not a whole checkpoint: {fault}. Resume from the folder above it, and the newest whole one is taken.");
        }

        var newest = new CheckpointStore(source, keep: 0).FindNewestWhole((folder, fault) =>
            say(TrainingEvent.Warning, $"{folder} is damaged and passed over: {fault}"));
        if (newest is not null) return newest;
        var file = Path.Combine(source, NanoGptCheckpoint.FileName);
        return File.Exists(file) ? file : throw new CheckpointException(
            $"{Path.GetFullPath(source)}: nothing to resume from: no checkpoint (ckpt-..., or nanoGPT's {NanoGptCheckpoint.FileName}) there is whole. "
            + "Was out_dir another, or did the run end before its first checkpoint?");
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
