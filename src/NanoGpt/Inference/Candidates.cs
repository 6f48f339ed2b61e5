// The tokens that are still in the running, and the filters that drop some: transformers' logits warpers, in its order.

namespace NanoGpt.Inference;

/// <summary>Token ids with their scores. Refilled for each token; one for each sequence.</summary>
internal sealed class Candidates
{
    private (float Score, int Id)[] _items = [];
    private double[] _weights = [];

    /// <summary>How many are left.</summary>
    public int Count { get; private set; }

    /// <summary>The ids that are left, with their scores; in no certain order.</summary>
    public ReadOnlySpan<(float Score, int Id)> Items => _items.AsSpan(0, Count);

    /// <summary>
    /// Takes the ids whose logit divided by <paramref name="temperature"/> is among the <paramref name="topK"/> largest, ties
    /// with the last included; all where topK is 0. An id whose logit is negative infinity is banned and never in.
    /// </summary>
    public void Fill(ReadOnlySpan<float> logits, float temperature, int topK)
    {
        if (_items.Length < logits.Length) (_items, _weights) = (new (float, int)[logits.Length], new double[logits.Length]);
        var threshold = topK > 0 && topK < logits.Length ? KthLargest(logits, topK) : float.NegativeInfinity;
        Count = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (logits[id] >= threshold && logits[id] > float.NegativeInfinity) _items[Count++] = (logits[id] / temperature, id);
        }
    }

    /// <summary>Keeps the smallest set of most likely ids whose probabilities reach <paramref name="p"/>; at least one.</summary>
    public void KeepTopP(double p)
    {
        // A heap by score, largest first: mostly few have to be taken out of many. The kept ones gather at the end.
        var wanted = p * Weigh();
        for (var i = Count / 2 - 1; i >= 0; i--) SiftDown(i, Count);
        var largest = _items[0].Score;
        var (sum, kept) = (0.0, 0);
        while (kept < Count && (sum < wanted || kept == 0))
        {
            sum += Weight(_items[0].Score, largest);
            kept++;
            (_items[0], _items[Count - kept]) = (_items[Count - kept], _items[0]);
            SiftDown(0, Count - kept);
        }

        Array.Copy(_items, Count - kept, _items, 0, kept);
        Count = kept;
    }

    /// <summary>Keeps the ids at least <paramref name="p"/> times as likely as the most likely one.</summary>
    public void KeepMinP(double p)
    {
        Weigh();
        Keep(i => _weights[i] >= p);
    }

    /// <summary>Keeps the ids whose information is closest to the entropy, until their probabilities reach <paramref name="p"/>.</summary>
    public void KeepTypicalP(double p)
    {
        var total = Weigh();
        var probabilities = _weights.Take(Count).Select(weight => weight / total).ToArray();
        var information = probabilities.Select(q => -Math.Log(q)).ToArray();
        var entropy = probabilities.Zip(information, (q, i) => q == 0 ? 0 : q * i).Sum();
        var distances = information.Select(i => Math.Abs(i - entropy)).ToArray();

        var order = Enumerable.Range(0, Count).OrderBy(i => distances[i]).ToArray();
        var (sum, last) = (0.0, 0);
        for (var i = 0; i < order.Length && sum < p; i++)
        {
            sum += probabilities[order[i]];
            last = i;
        }

        var farthest = distances[order[last]];
        Keep(i => distances[i] <= farthest);
    }

    /// <summary>Draws one by their probabilities.</summary>
    /// <param name="uniform">A number from 0 up to, not including, 1.</param>
    public int Draw(double uniform)
    {
        var left = uniform * Weigh();
        for (var i = 0; i < Count; i++)
        {
            left -= _weights[i];
            if (left < 0) return _items[i].Id;
        }

        return _items[Count - 1].Id; // The sum was rounded up.
    }

    /// <summary>The distribution that <see cref="Draw"/> draws from, over the whole vocabulary.</summary>
    public double[] Distribution(int vocabSize)
    {
        var total = Weigh();
        var result = new double[vocabSize];
        for (var i = 0; i < Count; i++) result[_items[i].Id] = _weights[i] / total;
        return result;
    }

    private void Keep(Func<int, bool> condition)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (condition(i)) _items[kept++] = _items[i];
        }

        Count = kept;
    }

    /// <summary>Computes how likely each is beside the most likely one, and returns the sum.</summary>
    private double Weigh()
    {
        var largest = float.NegativeInfinity;
        foreach (var (score, _) in Items) largest = MathF.Max(largest, score);
        var total = 0.0;
        for (var i = 0; i < Count; i++)
        {
            _weights[i] = Weight(_items[i].Score, largest);
            total += _weights[i];
        }

        return total;
    }

    private static double Weight(float score, float largest) => Math.Exp((double)score - largest);

    /// <summary>The k-th largest logit, by a heap of the k largest so far with the smallest of them on top.</summary>
    private static float KthLargest(ReadOnlySpan<float> logits, int k)
    {
        var heap = new PriorityQueue<float, float>(k);
        foreach (var logit in logits[..k]) heap.Enqueue(logit, logit);
        var threshold = heap.Peek();
        foreach (var logit in logits[k..])
        {
            if (logit <= threshold) continue;
            heap.EnqueueDequeue(logit, logit);
            threshold = heap.Peek();
        }

        return threshold;
    }

    private void SiftDown(int index, int count)
    {
        while (true)
        {
            var child = 2 * index + 1;
            if (child >= count) return;
            if (child + 1 < count && _items[child + 1].Score > _items[child].Score) child++;
            if (_items[child].Score <= _items[index].Score) return;
            (_items[index], _items[child]) = (_items[child], _items[index]);
            index = child;
        }
    }
}
