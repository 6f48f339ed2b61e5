// ckpt.pt as nanoGPT's train.py writes it: weights, optimizer state, where training stood. Opened for loading, export and
// resume; nothing is copied.

namespace NanoGpt.Formats;

/// <summary>An open nanoGPT checkpoint.</summary>
internal sealed class NanoGptCheckpoint : IDisposable
{
    /// <summary>The name that nanoGPT gives it in its out_dir.</summary>
    public const string FileName = "ckpt.pt";

    private readonly TorchArchive _archive;

    private NanoGptCheckpoint(TorchArchive archive, bool ignoreUnexpected)
    {
        _archive = archive;
        var root = archive.Value as PickleDictionary ?? throw Fault("holds no dict: a checkpoint of nanoGPT has model, model_args and more");
        Config = ReadConfig(Dictionary(root, "model_args"));
        var stored = TorchStateFile.Tensors(archive, Dictionary(root, "model"), "model");
        Weights = new StateDict(Config, archive.Path, "model_args", isConv1D: false).Bind(stored, archive, ignoreUnexpected);
        IterNum = root.GetValueOrDefault("iter_num") is long iterations and >= 0 ? iterations : 0;
        BestValLoss = root.TryGetValue("best_val_loss", out var loss) ? ToNumber("best_val_loss", loss) : null;
        Settings = ReadSettings(root.GetValueOrDefault("config") as PickleDictionary);
        Optimizer = root.GetValueOrDefault("optimizer") is PickleDictionary optimizer ? NanoGptOptimizer.Read(archive, Config, optimizer) : null;
    }

    /// <summary>The model: model_args, with exact GELU.</summary>
    public GPTConfig Config { get; }

    /// <summary>The weights, which disposing them or this unmaps.</summary>
    public GPTWeights Weights { get; }

    /// <summary>Iterations trained, or 0 where the checkpoint does not say.</summary>
    public long IterNum { get; }

    /// <summary>The lowest validation loss so far, or null where the checkpoint does not say.</summary>
    public double? BestValLoss { get; }

    /// <summary>The options of train.py by their names: long, double, bool or string.</summary>
    public IReadOnlyDictionary<string, object> Settings { get; }

    /// <summary>The state of AdamW, or null where the checkpoint has none: it can be generated from, not resumed.</summary>
    public NanoGptOptimizer? Optimizer { get; }

    /// <summary>Opens a checkpoint. Names, types and shapes are checked before any weight is read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="ignoreUnexpected">Whether tensors that GPT-2 does not have are passed over instead of refused.</param>
    /// <exception cref="ModelFormatException">It is missing, broken, or no checkpoint of nanoGPT.</exception>
    public static NanoGptCheckpoint Open(string path, bool ignoreUnexpected = false)
    {
        var archive = TorchArchive.Open(path);
        try
        {
            return new NanoGptCheckpoint(archive, ignoreUnexpected);
        }
        catch
        {
            archive.Dispose();
            throw;
        }
    }

    /// <summary>The same of bytes in memory, which must stay where they are.</summary>
    public static unsafe NanoGptCheckpoint Read(byte* start, long length, string path) => new(TorchArchive.Read(start, length, path), false);

    public void Dispose() => _archive.Dispose();

    private GPTConfig ReadConfig(PickleDictionary arguments)
    {
        var dropout = arguments.TryGetValue("dropout", out var value) ? ToNumber("model_args.dropout", value) : 0;
        var config = new GPTConfig
        {
            NLayer = Integer(arguments, "n_layer"),
            NHead = Integer(arguments, "n_head"),
            NEmbd = Integer(arguments, "n_embd"),
            BlockSize = Integer(arguments, "block_size"),
            VocabSize = Integer(arguments, "vocab_size"),
            Bias = arguments.GetValueOrDefault("bias", true) as bool? ?? throw Fault("has a model_args.bias that is not True or False"),
            EmbeddingDropout = dropout,
            AttentionDropout = dropout,
            ResidualDropout = dropout,
            Activation = ActivationFunction.Gelu, // nanoGPT's model.py: nn.GELU(), the exact one
        };
        var faults = config.Faults().ToList();
        return faults.Count == 0 ? config : throw Fault($"has model_args that are not valid: {string.Join("; ", faults)}");
    }

    private int Integer(PickleDictionary arguments, string key) => arguments.GetValueOrDefault(key) is long value and > 0 and <= int.MaxValue
        ? (int)value : throw Fault($"has no model_args.{key}, or not a whole number from 1");

    private PickleDictionary Dictionary(PickleDictionary root, string key) =>
        root.GetValueOrDefault(key) as PickleDictionary ?? throw Fault($"has no dict '{key}': it is no checkpoint of nanoGPT");

    /// <summary>A number, which nanoGPT's best_val_loss is as a tensor of no dimensions.</summary>
    private double ToNumber(string name, object? value) => value switch
    {
        double number => number,
        long number => number,
        PickleTensor { Shape.Length: 0 } tensor => _archive.Locate(name, tensor).ReadScalar(),
        _ => throw Fault($"has a {name} that is not a number"),
    };

    private static Dictionary<string, object> ReadSettings(PickleDictionary? config)
    {
        var settings = new Dictionary<string, object>();
        foreach (var (key, value) in config ?? [])
            if (key is string name && value is long or double or bool or string) settings.Add((string)key, value);
        return settings;
    }

    private ModelFormatException Fault(string what) => new($"{_archive.Path} {what}.");
}
