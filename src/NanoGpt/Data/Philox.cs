// Random numbers without a state: a block cipher's answer to "what is number n of stream s?". Philox4x32-10 of Salmon,
// Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

namespace NanoGpt.Data;

/// <summary>The counter-based generator Philox4x32-10.</summary>
internal static class Philox
{
    /// <summary>128 random bits for a 128-bit counter under a 64-bit key, as two numbers of 64 bits.</summary>
    public static (ulong First, ulong Second) Block(ulong key, uint c0, uint c1, uint c2, uint c3)
    {
        var k0 = (uint)key;
        var k1 = (uint)(key >> 32);
        for (var round = 0; round < 10; round++)
        {
            var left = 0xD2511F53ul * c0;
            var right = 0xCD9E8D57ul * c2;
            (c0, c1, c2, c3) = ((uint)(right >> 32) ^ c1 ^ k0, (uint)right, (uint)(left >> 32) ^ c3 ^ k1, (uint)left);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }

        return (((ulong)c1 << 32) | c0, ((ulong)c3 << 32) | c2);
    }
}
