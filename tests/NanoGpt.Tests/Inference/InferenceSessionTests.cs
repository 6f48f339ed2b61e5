using NanoGpt.Formats;
using NanoGpt.Inference;

namespace NanoGpt.Tests.Inference;

/// <summary>What a session promises: the same bits however the tokens came in.</summary>
public sealed class InferenceSessionTests : IDisposable
{
    private readonly InferenceModel model;

    public InferenceSessionTests()
    {
        using var weights = TinyModels.Open("untied");
        model = InferenceModel.Create(weights);
    }

    public void Dispose() => model.Dispose();

    [Fact]
    public void Tokens_one_by_one_give_the_same_bits_as_all_at_once()
    {
        var ids = SomeIds(model.Config.BlockSize, seed: 1);
        var all = EngineParityTests.AllLogits(model, ids);

        using var session = model.CreateSession();
        for (var i = 0; i < ids.Length; i++)
            Assert.Equal(all.AsSpan(i * model.Config.VocabSize, model.Config.VocabSize), session.Decode(ids[i]));
    }

    [Fact]
    public void Sessions_of_different_lengths_in_one_batch_give_the_same_bits_as_alone()
    {
        int[] lengths = [1, 2, 5, 7, 13, 26, 63, 64, 65, 80];
        var prompts = lengths.Select(length => SomeIds(length, seed: length)).ToArray();
        var sessions = prompts.Select(_ => model.CreateSession()).ToArray();

        InferenceSession.Prefill(sessions.Zip(prompts).ToList());
        InferenceSession.Prefill(sessions.Select(session => (session, new[] { 7 })).ToList());

        for (var i = 0; i < sessions.Length; i++)
        {
            using var alone = model.CreateSession();
            alone.Prefill(prompts[i]);
            Assert.Equal(alone.Decode(7), sessions[i].Logits);
            sessions[i].Dispose();
        }
    }

    [Fact]
    public void Weights_in_the_file_give_the_same_bits_as_packed_ones()
    {
        foreach (var name in new[] { "plain-buffers", "bf16", "untied", "vocab50257" })
        {
            using var weights = TinyModels.Open(name);
            var length = Math.Min(70, weights.Config.BlockSize);
            var ids = SomeIds(length, seed: 5).Select(id => id % weights.Config.VocabSize).ToArray();
            foreach (var kernels in PanelKernels.Supported)
            {
                foreach (var precision in new[] { Dtype.Float32, Dtype.BFloat16, Dtype.Int8 })
                {
                    using var packed = InferenceModel.Create(weights, precision, kernels);
                    using var mapped = InferenceModel.Open(weights, precision, kernels, packing: Packing.Never);
                    foreach (var count in new[] { 1, 8, length })
                        Assert.Equal(EngineParityTests.AllLogits(packed, ids[..count]), EngineParityTests.AllLogits(mapped, ids[..count]));
                }
            }
        }
    }

    [Fact]
    public void An_engine_that_has_let_go_of_the_file_gives_the_same_bits()
    {
        var ids = SomeIds(20, seed: 6);
        var expected = EngineParityTests.AllLogits(model, ids);
        foreach (var packing in new[] { Packing.InBackground, Packing.Never })
        {
            var weights = TinyModels.Open("untied");
            using var opened = InferenceModel.Open(weights, packing: packing);
            Assert.Equal(expected, EngineParityTests.AllLogits(opened, ids));
            opened.LetGoOfSource();
            foreach (var tensor in weights.Tensors.Values) Spoil(tensor);
            weights.Dispose();
            Assert.Equal(expected, EngineParityTests.AllLogits(opened, ids));
        }
    }

    [Fact]
    public void Past_the_context_only_the_last_ids_count_and_positions_begin_again()
    {
        var ids = SomeIds(model.Config.BlockSize + 9, seed: 3);
        using var session = model.CreateSession();
        foreach (var id in ids) session.Decode(id);

        using var window = model.CreateSession();
        Assert.Equal(window.Prefill(ids.AsSpan(9)), session.Logits);
    }

    [Fact]
    public void Going_back_and_on_again_gives_the_same_bits_as_a_fresh_start()
    {
        var ids = SomeIds(model.Config.BlockSize + 5, seed: 4);
        using var session = model.CreateSession();
        foreach (var length in new[] { 20, 11, model.Config.BlockSize + 5, 40, 0 })
        {
            if (session.Ids.Count < ids.Length) session.Prefill(ids.AsSpan(session.Ids.Count));
            session.Truncate(length);
            Assert.Equal(length, session.Ids.Count);
            Assert.True(session.Logits.IsEmpty);

            using var fresh = model.CreateSession();
            if (length > 0) fresh.Prefill(ids.AsSpan(0, length));
            Assert.Equal(fresh.Decode(5), session.Decode(5));
            session.Truncate(length);
        }
    }

    [Fact]
    public void Forks_of_a_session_go_their_own_ways()
    {
        var ids = SomeIds(17, seed: 5);
        using var session = model.CreateSession();
        session.Prefill(ids);
        using var fork = session.Fork();
        Assert.Equal(session.Logits, fork.Logits);

        using var fresh = model.CreateSession();
        fresh.Prefill(ids);
        fork.Decode(1);
        Assert.Equal(fresh.Decode(2), session.Decode(2));
        fresh.Truncate(17);
        Assert.Equal(fresh.Decode(1), fork.Logits);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1000)]
    public void An_id_outside_the_vocabulary_is_refused_and_leaves_the_session_as_it_was(int id)
    {
        using var session = model.CreateSession();
        session.Prefill([1, 2]);

        Assert.Contains("vocab_size is 1000", Assert.Throws<ArgumentOutOfRangeException>(() => session.Prefill([3, id])).Message);

        Assert.Equal([1, 2], session.Ids);
    }

    private static unsafe void Spoil(WeightTensor tensor) => new Span<byte>(tensor.Data, (int)tensor.ByteCount).Fill(0xFF);

    private int[] SomeIds(int count, int seed)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ => random.Next(model.Config.VocabSize)).ToArray();
    }
}
