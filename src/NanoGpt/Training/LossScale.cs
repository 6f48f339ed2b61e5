// float16 has few exponents: small gradients vanish in it. So the loss is multiplied before the backward pass and the
// gradients are divided after it, by a factor that grows until something overflows. The numbers are torch's GradScaler's.

namespace NanoGpt.Training;

/// <summary>The factor of the loss and the steps since it last moved. Immutable.</summary>
/// <param name="Factor">A power of two, so that scaling rounds nothing; 1 for no scaling.</param>
/// <param name="GoodSteps">Steps without overflow since it moved.</param>
internal sealed record LossScale(double Factor, int GoodSteps)
{
    private const int StepsToGrow = 2000;

    /// <summary>No scaling: float32 and bfloat16 have exponents enough.</summary>
    public static LossScale None { get; } = new(1, 0);

    /// <summary>Where float16 begins.</summary>
    public static LossScale Initial { get; } = new(65536, 0);

    public bool IsOn => this != None;

    /// <summary>After a step whose gradients were finite.</summary>
    public LossScale AfterStep() => !IsOn ? this
        : GoodSteps + 1 < StepsToGrow ? this with { GoodSteps = GoodSteps + 1 }
        : new LossScale(Factor * 2, 0);

    /// <summary>After gradients that were not finite: half the factor, or null where it is not the factor's fault.</summary>
    public LossScale? AfterOverflow() => IsOn && Factor > 2 ? new LossScale(Factor / 2, 0) : null;
}
