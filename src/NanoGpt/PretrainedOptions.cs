// How FromPretrained finds and loads a model. What a model is, is GPTConfig; how files are found and read, Hub/ and Formats/.

using Microsoft.Extensions.Logging;

namespace NanoGpt;

/// <summary>Options of <see cref="GPT.FromPretrained(string, PretrainedOptions?)"/>. Immutable; the defaults load GPT-2 as published.</summary>
public sealed record PretrainedOptions
{
    /// <summary>Form of the weights while generating.</summary>
    /// <value>
    /// Default <see cref="Dtype.Float32"/>. <see cref="Dtype.BFloat16"/> and <see cref="Dtype.Int8"/> are smaller and faster
    /// on the CPU; the network that is trained has float32 parameters all the same. <see cref="Dtype.Float16"/> needs a GPU.
    /// </value>
    public Dtype Dtype { get; init; } = Dtype.Float32;

    /// <summary>Where the torch network lives once it is asked for: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>mps</c>.</summary>
    /// <value>Default <c>cpu</c>.</value>
    public string Device { get; init; } = "cpu";

    /// <summary>Dropout for all three places while training, or null to keep what config.json says.</summary>
    /// <value>Default null. From 0 up to, not including, 1.</value>
    public double? Dropout { get; init; }

    /// <summary>Shortens the context to this many tokens, or null to keep the model's.</summary>
    /// <value>Default null. From 1 to the model's block size.</value>
    public int? BlockSize { get; init; }

    /// <summary>Whether tensors that GPT-2 does not have, such as another head's, are passed over; their names are then logged.</summary>
    /// <value>Default false: such a file is refused, and the message lists all unexpected and all missing names.</value>
    public bool IgnoreUnexpected { get; init; }

    /// <summary>Branch, tag or commit on the Hub.</summary>
    /// <value>Default <c>main</c>. Not used for folders.</value>
    public string Revision { get; init; } = "main";

    /// <summary>Access token for gated or private repositories, or null for HF_TOKEN and its relatives.</summary>
    public string? Token { get; init; }

    /// <summary>The Hub's cache folder, or null for the one Python uses (HF_HUB_CACHE, HF_HOME).</summary>
    public string? CacheDirectory { get; init; }

    /// <summary>Address of the Hub, or null for HF_ENDPOINT or the public one.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Whether only the cache is looked at, without any request.</summary>
    /// <value>Default false; HF_HUB_OFFLINE=1 does the same.</value>
    public bool LocalFilesOnly { get; init; }

    /// <summary>Receives what is loaded from where; null for silence.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>The settings in one line, without <see cref="Token"/>: a record would print it, into logs and exceptions.</summary>
    public override string ToString() =>
        $"{nameof(PretrainedOptions)} {{ Dtype = {Dtype}, Device = {Device}, Dropout = {Dropout}, BlockSize = {BlockSize}, IgnoreUnexpected = {IgnoreUnexpected}, "
        + $"Revision = {Revision}, CacheDirectory = {CacheDirectory}, Endpoint = {Endpoint}, LocalFilesOnly = {LocalFilesOnly} }}";
}
