// An IProgress<T> that acts at once, on the thread that reports: Progress<T> of .NET would answer later and out of order.

namespace NanoGpt.Samples.Terminal;

internal sealed class Listener<T>(Action<T> action) : IProgress<T>
{
    public void Report(T value) => action(value);
}
