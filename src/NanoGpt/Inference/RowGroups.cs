// How many rows a kernel takes at a time.

namespace NanoGpt.Inference;

/// <summary>Cuts rows into groups of 6, 4, 2 and 1: as many as fill the registers of AVX2 with sums.</summary>
internal static class RowGroups
{
    /// <summary>Size of the next group; 8 rows are better off as 4 and 4 than as 6 and 2, which waits for its own sums.</summary>
    public static int Next(int rows) => rows switch
    {
        8 or 4 or 5 => 4,
        >= 6 => 6,
        >= 2 => 2,
        _ => 1,
    };

    /// <summary>Number of groups.</summary>
    public static int Count(int rows)
    {
        var count = 0;
        for (; rows > 0; rows -= Next(rows)) count++;
        return count;
    }
}

/// <summary>A size of group as a type: the JIT compiles a kernel anew for each.</summary>
internal interface IRowCount
{
    static abstract int Value { get; }
}

internal readonly struct One : IRowCount
{
    public static int Value => 1;
}

internal readonly struct Two : IRowCount
{
    public static int Value => 2;
}

internal readonly struct Four : IRowCount
{
    public static int Value => 4;
}

internal readonly struct Six : IRowCount
{
    public static int Value => 6;
}
