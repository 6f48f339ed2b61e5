// The few ways in which text is set off.

namespace NanoGpt.Samples.Terminal;

internal enum Ink
{
    Plain = 0,
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Magenta = 35,
    Cyan = 36,
}
