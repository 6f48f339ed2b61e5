// The two hashes by which the Hub names content: SHA-256 for large files (LFS), git's blob SHA-1 for the others. Read from
// the file as it lies on the disk, whoever wrote it.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace NanoGpt.Hub;

/// <summary>Checks content against an ETag.</summary>
internal static class HubHash
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Whether <paramref name="etag"/> is a hash of the content, and not just some name for it.</summary>
    public static bool IsHash(string etag) => etag.Length is 40 or 64 && etag.All(char.IsAsciiHexDigit);

    /// <summary>The hash of a whole file, of the kind that <paramref name="etag"/> is; lower-case hexadecimal.</summary>
    /// <param name="file">Read from its beginning to its end.</param>
    /// <param name="etag">A value for which <see cref="IsHash"/> is true.</param>
    /// <param name="cancellation">Stops between two pieces.</param>
    public static async Task<string> ComputeAsync(FileStream file, string etag, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(etag.Length == 64 ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA1);
        if (etag.Length == 40) hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {file.Length}\0")));

        file.Position = 0;
        var buffer = new byte[Math.Clamp(file.Length, 1, BufferBytes)];
        int read;
        while ((read = await file.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0) hash.AppendData(buffer, 0, read);
        return Convert.ToHexString(hash.GetHashAndReset()).ToLowerInvariant();
    }
}
