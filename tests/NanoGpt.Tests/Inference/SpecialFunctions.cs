// Functions that .NET does not have, to the last digits of a double: what the kernels are held against.

namespace NanoGpt.Tests.Inference;

internal static class SpecialFunctions
{
    /// <summary>1 - erf(x), by its series near 0 and its continued fraction elsewhere, to some 1e-15.</summary>
    public static double Erfc(double x)
    {
        if (x < 0) return 2 - Erfc(-x);
        if (x < 2.5)
        {
            var (term, sum) = (x, x);
            for (var n = 1; n < 100; n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }

            return 1 - 2 / Math.Sqrt(Math.PI) * sum;
        }

        var fraction = 0.0;
        for (var n = 60; n >= 1; n--) fraction = n / 2.0 / (x + fraction);
        return Math.Exp(-x * x) / Math.Sqrt(Math.PI) / (x + fraction);
    }
}
