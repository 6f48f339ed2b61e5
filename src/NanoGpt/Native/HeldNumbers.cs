// Tensor operations with a number. TorchSharp makes a Scalar of it, hands the Scalar's address to native code and holds it no
// longer: where a garbage collection falls into that call, the finalizer frees what the call still reads, and the operation
// fails or counts with whatever lies there then. x + y is among them, for its hidden factor of 1. Here the number stays until
// the call is over: everything that runs in a training step uses these instead.

using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Native;

/// <summary>Operations whose numbers outlive the call.</summary>
internal static class HeldNumbers
{
    private static readonly Scalar One = 1;

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x += y.</summary>
    public static Tensor Add(this Tensor x, Tensor y) => x.add_(y, One);

    /// <summary>x * factor.</summary>
    public static Tensor Times(this Tensor x, double factor)
    {
        using Scalar number = factor;
        return x.mul(number);
    }

    /// <summary>x / divisor.</summary>
    public static Tensor Over(this Tensor x, double divisor)
    {
        using Scalar number = divisor;
        return x.div(number);
    }

    /// <summary>Where x is not <paramref name="value"/>.</summary>
    public static Tensor Differs(this Tensor x, long value)
    {
        using Scalar number = value;
        return x.ne(number);
    }

    /// <summary>x, with <paramref name="value"/> where <paramref name="mask"/> says.</summary>
    public static Tensor Masked(this Tensor x, Tensor mask, long value)
    {
        using Scalar number = value;
        return x.masked_fill(mask, number);
    }

    /// <summary>0, 1, 2, ... as int64.</summary>
    public static Tensor Counting(long count, Device device)
    {
        using Scalar from = 0L, to = count, step = 1L;
        return arange(from, to, step, int64, device);
    }
}
