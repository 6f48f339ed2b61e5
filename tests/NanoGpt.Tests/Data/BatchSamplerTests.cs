using NanoGpt.Data;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Data;

public sealed class BatchSamplerTests
{
    [Theory]
    // The known answers of Random123 1.14, kat_vectors, philox4x32 10.
    [InlineData(0x0000000000000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c)]
    [InlineData(0xffffffffffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x41c83b0e408f276d, 0x6d5451fda20bc7c6)]
    [InlineData(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0x94fdccebd16cfe09, 0x24126ea15001e420)]
    public void Philox_gives_its_authors_answers(ulong key, uint c0, uint c1, uint c2, uint c3, ulong first, ulong second) =>
        Assert.Equal((first, second), Philox.Block(key, c0, c1, c2, c3));

    [Fact]
    public void A_row_is_followed_by_its_targets()
    {
        using var data = Counting(1000, 100);
        var (x, y) = Fill(new BatchSampler(data, 1337), new(DataSplit.Train, false, 7, 0), rows: 4, block: 8);

        for (var i = 0; i < x.Length; i++) Assert.Equal(x[i] + 1, y[i]);
        for (var r = 0; r < 4; r++) Assert.Equal(Enumerable.Range((int)x[r * 8], 8).Select(i => (long)i), x[(r * 8)..(r * 8 + 8)]);
    }

    [Fact]
    public void The_same_place_has_the_same_batch_and_any_other_place_another()
    {
        using var data = Counting(60_000, 60_000);
        BatchPlace[] places =
        [
            new(DataSplit.Train, false, 7, 0), new(DataSplit.Val, false, 7, 0), new(DataSplit.Train, true, 7, 0), new(DataSplit.Train, false, 8, 0),
            new(DataSplit.Train, false, 7, 1), new(DataSplit.Val, true, 7, 0), new(DataSplit.Train, false, 7 + (1L << 32), 0),
        ];
        var batches = places.Select(place => string.Join(' ', Fill(new BatchSampler(data, 1337), place, 12, 4).X)).ToList();

        Assert.Equal(batches, places.Select(place => string.Join(' ', Fill(new BatchSampler(data, 1337), place, 12, 4).X)));
        Assert.Equal(places.Length, batches.Distinct().Count());
        Assert.NotEqual(batches[0], string.Join(' ', Fill(new BatchSampler(data, 1338), places[0], 12, 4).X));
    }

    [Fact]
    public void Starts_are_uniform_over_every_place_where_a_row_fits()
    {
        // 40 ids, rows of 8: starts 0..31, 32 choices. 64,000 draws: 2000 each, standard deviation 44; 6 of them is 264.
        using var data = Counting(40, 40);
        var sampler = new BatchSampler(data, 1);
        var count = new int[32];
        for (var i = 0; i < 1000; i++)
        {
            var (x, _) = Fill(sampler, new(DataSplit.Train, false, i, 0), 64, 8);
            for (var r = 0; r < 64; r++) count[x[r * 8]]++;
        }

        Assert.All(count, c => Assert.InRange(c, 2000 - 264, 2000 + 264));
    }

    [Fact]
    public void The_smallest_dataset_has_one_row_and_a_smaller_one_is_refused()
    {
        using var smallest = Counting(9, 8);
        var (x, y) = Fill(new BatchSampler(smallest, 1), new(DataSplit.Train, false, 0, 0), 1, 8);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], x);
        Assert.Equal(8, y[7]);

        var message = Assert.Throws<ModelFormatException>(() => Fill(new BatchSampler(smallest, 1), new(DataSplit.Val, false, 0, 0), 1, 8)).Message;
        Assert.Contains("val: 8 ids; a block of 8 needs at least 9", message);
        Assert.Contains("needs at least 9", Assert.Throws<ModelFormatException>(() => smallest.Check(vocabSize: 100, blockSize: 8)).Message);
    }

    [Fact]
    public void A_description_says_where_the_rows_begin()
    {
        using var data = Counting(1000, 100);
        var sampler = new BatchSampler(data, 1337);
        BatchPlace place = new(DataSplit.Train, false, 3, 0);
        var (x, _) = Fill(sampler, place, 3, 8);
        Assert.Equal($"8 ids of train from each of {x[0]}, {x[8]}, {x[16]}", sampler.Describe(place, 3, 8));
    }

    [Fact]
    public void Buffers_that_do_not_fit_are_refused()
    {
        using var data = Counting(100, 100);
        var sampler = new BatchSampler(data, 1);
        Assert.Throws<ArgumentException>(() => sampler.Fill(new(DataSplit.Train, false, 0, 0), 8, new long[12], new long[12]));
        Assert.Throws<ArgumentException>(() => sampler.Fill(new(DataSplit.Train, false, 0, 0), 8, new long[16], new long[8]));
        Assert.Throws<ArgumentException>(() => sampler.Fill(new(DataSplit.Train, false, 0, 0), 0, new long[16], new long[16]));
    }

    private static (long[] X, long[] Y) Fill(BatchSampler sampler, BatchPlace place, int rows, int block)
    {
        var (x, y) = (new long[rows * block], new long[rows * block]);
        sampler.Fill(place, block, x, y);
        return (x, y);
    }

    private static TokenDataset Counting(int train, int val) => TokenDataset.FromIds(
        TokenFile.FromIds("train", [.. Enumerable.Range(0, train)]), TokenFile.FromIds("val", [.. Enumerable.Range(0, val)]), Tokenizer.Gpt2);
}
