// What the loopback Hub stores: repositories with branches, commits and files, hashed as git and LFS do.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace NanoGpt.EndToEnd.Hub;

/// <summary>Content of a repository file; may be larger than memory, as it is made while it is sent.</summary>
internal abstract class HubContent
{
    public abstract long Length { get; }

    public abstract string Sha256 { get; }

    public abstract string GitSha1 { get; }

    /// <summary>Copies bytes from <paramref name="offset"/> on.</summary>
    public abstract void Read(long offset, Span<byte> destination);

    public static implicit operator HubContent(byte[] bytes) => new HubBytes(bytes);

    public static implicit operator HubContent(string text) => new HubBytes(Encoding.UTF8.GetBytes(text));
}

/// <summary>Content in memory.</summary>
internal sealed class HubBytes(byte[] bytes) : HubContent
{
    public byte[] Bytes => bytes;

    public override long Length => bytes.Length;

    public override string Sha256 { get; } = Convert.ToHexString(SHA256.HashData(bytes)).ToLowerInvariant();

    public override string GitSha1 { get; } = Convert.ToHexString(SHA1.HashData(
        [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {bytes.Length}\0")), .. bytes])).ToLowerInvariant();

    public override void Read(long offset, Span<byte> destination) => bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
}

/// <summary>One file of a commit.</summary>
internal sealed record HubRepoFile(HubContent Content, bool IsLfs)
{
    public string ETag => IsLfs ? Content.Sha256 : Content.GitSha1;
}

/// <summary>A model repository.</summary>
internal sealed class HubRepo(string id)
{
    private readonly Dictionary<string, Dictionary<string, HubRepoFile>> _commits = [];

    public string Id => id;

    public Dictionary<string, string> Refs { get; } = [];

    /// <summary>Access is granted on request, and nobody has it.</summary>
    public bool IsGated { get; set; }

    /// <summary>Only the server's token opens it.</summary>
    public bool IsPrivate { get; set; }

    public bool IsDisabled { get; set; }

    /// <summary>The id it has now, where it was renamed.</summary>
    public string? RenamedTo { get; set; }

    /// <summary>What the newest upload said of itself.</summary>
    public string? LastMessage { get; set; }

    public string Head => Refs["main"];

    public Dictionary<string, HubRepoFile> Files(string commit) => _commits[commit];

    /// <summary>The commit of a branch, or of itself.</summary>
    public string? Resolve(string revision) => Refs.GetValueOrDefault(revision) ?? (_commits.ContainsKey(revision) ? revision : null);

    /// <summary>Adds a file to what a branch has, as a new commit; large files and weights are LFS, as on the Hub.</summary>
    public HubRepo Add(string name, HubContent content, bool? lfs = null, string branch = "main")
    {
        Commit(branch, files => files[name] = new HubRepoFile(content, lfs ?? IsLfs(name, content.Length)));
        return this;
    }

    public string Commit(string branch, Action<Dictionary<string, HubRepoFile>> change)
    {
        var files = Resolve(branch) is { } parent ? new Dictionary<string, HubRepoFile>(_commits[parent]) : [];
        change(files);
        var text = string.Join('\n', files.OrderBy(file => file.Key, StringComparer.Ordinal).Select(file => $"{file.Key} {file.Value.ETag}"));
        var commit = Convert.ToHexString(SHA1.HashData(Encoding.UTF8.GetBytes($"{id} {_commits.Count}\n{text}"))).ToLowerInvariant();
        _commits[commit] = files;
        Refs[branch] = commit;
        return commit;
    }

    public static bool IsLfs(string name, long length) =>
        length > 10 << 20 || name.EndsWith(".safetensors", StringComparison.Ordinal) || name.EndsWith(".bin", StringComparison.Ordinal) || name.EndsWith(".pt", StringComparison.Ordinal);
}

/// <summary>Much content out of little memory: a block of noise over and over, each time with its number in front.</summary>
internal sealed class PatternContent : HubContent
{
    private readonly byte[] _block = HubSandbox.Noise(1 << 20, seed: 7);
    private readonly Lazy<string> _sha256;

    public PatternContent(long length)
    {
        Length = length;
        _sha256 = new Lazy<string>(() =>
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[1 << 20];
            for (long at = 0; at < length; at += buffer.Length)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - at));
                Read(at, part);
                hash.AppendData(part);
            }

            return Convert.ToHexString(hash.GetHashAndReset()).ToLowerInvariant();
        });
    }

    public override long Length { get; }

    public override string Sha256 => _sha256.Value;

    public override string GitSha1 => throw new NotSupportedException("a file of this size is LFS");

    public override void Read(long offset, Span<byte> destination)
    {
        Span<byte> number = stackalloc byte[8];
        for (var done = 0; done < destination.Length;)
        {
            var (block, within) = Math.DivRem(offset + done, _block.Length);
            var part = destination.Slice(done, (int)Math.Min(destination.Length - done, _block.Length - within));
            _block.AsSpan((int)within, part.Length).CopyTo(part);
            System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(number, block);
            if (within < 8) number[(int)within..].ToArray().AsSpan(0, (int)Math.Min(8 - within, part.Length)).CopyTo(part);
            done += part.Length;
        }
    }
}
