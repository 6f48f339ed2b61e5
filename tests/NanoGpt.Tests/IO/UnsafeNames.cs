// Names that must never become a file: under POSIX rules, under Windows rules, or both.

namespace NanoGpt.Tests.IO;

internal static class UnsafeNames
{
    public static readonly IReadOnlyList<string> All =
    [
        // out of the folder
        "..", ".", "../x", "../../x", "a/../../x", "a/..", "a/../b", "./x", "a/./b", "a/.", "..\\x", "..\\..\\x", "a\\..\\..\\x", "a\\b",
        "a/..\\..\\x", "..//x", ".../../x", "../../../../../../../../etc/passwd", "..\\..\\..\\Windows\\System32\\x.dll",
        // absolute, or of another drive, share or device
        "/x", "//x", "/etc/passwd", "\\x", "\\\\server\\share\\x", "//server/share/x", "\\\\?\\C:\\x", "\\\\.\\COM1", "C:\\x", "C:/x", "C:x", "c:",
        "z:..\\x", "file:///etc/passwd", "\\\\?\\UNC\\server\\share",
        // streams and patterns
        "config.json:stream", "config.json::$DATA", "a:b", "a*b", "a?b", "a\"b", "a<b", "a>b", "a|b",
        // empty parts
        "", "/", "a//b", "a/", "//",
        // Windows drops what stands at the end
        "config.json.", "config.json ", "a./b", "a /b", "x. .", "...", "a/...", "config.json...", ". ", " ", "   /x",
        // devices, with any ending
        "CON", "con", "Con.txt", "PRN", "AUX", "aux.h", "NUL", "nul.tar.gz", "NUL .txt", "COM1", "com9.log", "LPT1", "lpt9", "COM\u00b9", "LPT\u00b2.x",
        "COM0", "CONIN$", "conout$", "CLOCK$", "a/NUL", "nul/x", "a/com1.d/b",
        // control characters, broken Unicode
        "a\0b", "\0", "a\nb", "a\rb", "a\tb", "\u001b[31mred", "a\u007fb", "a\u0085b", "\ud800", "a\udc00b", "a\ud800",
        // too long
        new string('a', 256), new string('é', 128), string.Join('/', Enumerable.Repeat("aaaaaaa", 200)),
    ];
}
