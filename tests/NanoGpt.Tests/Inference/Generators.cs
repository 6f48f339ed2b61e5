using NanoGpt.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Inference;

/// <summary>Makes generators over made-up weights for one test, and frees them and their models after it.</summary>
internal sealed class Generators : IDisposable
{
    private readonly List<IDisposable> _made = [];

    public Generator New(NanoGpt.Formats.GPTWeights weights, Tokenizer? tokenizer = null, GeneratorLimits? limits = null)
    {
        using (weights)
        {
            var model = InferenceModel.Create(weights);
            var generator = new Generator(() => model, tokenizer, limits);
            _made.Add(model);
            _made.Insert(0, generator);
            return generator;
        }
    }

    public void Dispose() => _made.ForEach(item => item.Dispose());
}
