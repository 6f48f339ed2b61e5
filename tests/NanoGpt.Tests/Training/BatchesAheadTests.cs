// Batches drawn on another thread are those drawn on this one, whatever the order, and nothing outlives the run.

using NanoGpt.Data;
using NanoGpt.Training;

namespace NanoGpt.Tests.Training;

public sealed class BatchesAheadTests
{
    private const int BlockSize = 4, Ids = 2 * BlockSize;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Every_batch_is_the_one_that_its_place_has_and_most_are_drawn_before_they_are_asked_for(int microSteps)
    {
        var source = new Recorder();
        var asked = new List<BatchPlace>();
        using (var ahead = new BatchesAhead(source))
        {
            for (var iteration = 5; iteration < 25; iteration++)
            {
                if (iteration % 10 == 0)
                {
                    foreach (var split in new[] { DataSplit.Train, DataSplit.Val })
                        for (var k = 0; k < 4; k++) Ask(new BatchPlace(split, Evaluation: true, iteration, k));
                }

                for (var micro = 0; micro < microSteps; micro++) Ask(new BatchPlace(DataSplit.Train, Evaluation: false, iteration, micro));
            }

            void Ask(BatchPlace place)
            {
                var (x, y) = (new long[Ids], new long[Ids]);
                ahead.Fill(place, BlockSize, x, y);
                Assert.Equal(Recorder.Expected(place, Ids), x);
                Assert.Equal(Recorder.Expected(place, Ids).Select(id => id + 1), y);
                asked.Add(place);
            }
        }

        // Not foreseen: the first step, with more than one micro step the rest of that iteration, and the first batch of
        // either split and of the steps after it in two evaluations.
        var here = source.Drawn.Where(draw => draw.Thread == Environment.CurrentManagedThreadId).Select(draw => draw.Place).ToArray();
        Assert.Equal(microSteps + 6, here.Length);
        Assert.Subset(source.Drawn.Select(draw => draw.Place).ToHashSet(), asked.ToHashSet());
    }

    [Fact]
    public void What_goes_wrong_is_thrown_when_that_batch_is_asked_for_and_not_before()
    {
        var source = new Recorder { IsBroken = place => place.Iteration is 2 or 5 };
        using var ahead = new BatchesAhead(source);
        var (x, y) = (new long[Ids], new long[Ids]);
        ahead.Fill(Step(0), BlockSize, x, y);
        ahead.Fill(Step(1), BlockSize, x, y);
        Assert.Equal("broken", Assert.Throws<ModelFormatException>(() => ahead.Fill(Step(2), BlockSize, x, y)).Message);
        ahead.Fill(Step(3), BlockSize, x, y);
        Assert.Equal(Recorder.Expected(Step(3), Ids), x);
        ahead.Fill(Step(4), BlockSize, x, y); // the one after it fails, and nobody asks for it
    }

    [Fact]
    public async Task Disposing_waits_for_the_thread_and_nothing_is_drawn_after_it()
    {
        using var isFree = new ManualResetEventSlim();
        var source = new Recorder { OnDraw = place => { if (place.Iteration == 1) isFree.Wait(TestContext.Current.CancellationToken); } };
        var ahead = new BatchesAhead(source);
        ahead.Fill(Step(0), BlockSize, new long[Ids], new long[Ids]);
        var disposing = Task.Run(ahead.Dispose, TestContext.Current.CancellationToken);
        Assert.False(disposing.IsCompleted);
        isFree.Set();
        await disposing;
        Assert.Equal([Step(0), Step(1)], source.Drawn.Select(draw => draw.Place));
        ahead.Dispose();
    }

    private static BatchPlace Step(int iteration) => new(DataSplit.Train, Evaluation: false, iteration, 0);

    /// <summary>Makes batches out of their places and notes who drew them.</summary>
    private sealed class Recorder : IBatches
    {
        private readonly List<(BatchPlace, int)> _drawn = [];

        public IReadOnlyList<(BatchPlace Place, int Thread)> Drawn
        {
            get
            {
                lock (_drawn) return [.. _drawn];
            }
        }

        public Predicate<BatchPlace> IsBroken { get; init; } = _ => false;

        public Action<BatchPlace> OnDraw { get; init; } = _ => { };

        public long TrainTokens => 1;

        public string Source => "recorder";

        public string Fingerprint => "recorder";

        public static long[] Expected(BatchPlace place, int count) =>
            [.. Enumerable.Range(0, count).Select(i => place.Iteration * 1000 + place.Index * 10 + i + (place.Evaluation ? 1_000_000 : 0) + (int)place.Split * 2_000_000L)];

        public void Check(int vocabSize, int blockSize)
        {
        }

        public void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y)
        {
            OnDraw(place);
            lock (_drawn) _drawn.Add((place, Environment.CurrentManagedThreadId));
            if (IsBroken(place)) throw new ModelFormatException("broken");
            Expected(place, x.Length).CopyTo(x);
            for (var i = 0; i < x.Length; i++) y[i] = x[i] + 1;
        }

        public string Describe(BatchPlace place, int batchSize, int blockSize) => "";
    }
}
