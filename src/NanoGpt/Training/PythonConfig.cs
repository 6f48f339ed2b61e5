// The part of Python that nanoGPT's config files use, evaluated as data: `name = value` lines, comments, numbers, texts,
// True, False, None, arithmetic, and names set further up. `import` lines are passed over; of functions only str, int,
// float and time.time are known (finetune_shakespeare.py names its run by the clock). Nothing else is understood, so
// nothing else can happen.

using System.Globalization;
using System.Text;

namespace NanoGpt.Training;

/// <summary>Parses nanoGPT's <c>config/*.py</c>.</summary>
internal static class PythonConfig
{
    private const int MaxDepth = 50;

    /// <summary>All assignments of a file, in order; a name set twice has its last value.</summary>
    /// <exception cref="ModelFormatException">A line is something else than an assignment of a value.</exception>
    public static List<KeyValuePair<string, object?>> Parse(string path, string text)
    {
        var names = new List<string>();
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        var lines = text.TrimStart('\uFEFF').Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd();
            if (IsPassedOver(line)) continue;
            try
            {
                var parser = new Parser(line, values);
                var (name, value) = parser.Assignment();
                if (!values.ContainsKey(name)) names.Add(name);
                values[name] = value;
            }
            catch (FormatException e)
            {
                throw new ModelFormatException(
                    $"{path}: line {i + 1}: {e.Message} in '{line.Trim()}'. Config files are read, not run: only `name = value` lines are understood.", e);
            }
        }

        return [.. names.Select(name => new KeyValuePair<string, object?>(name, values[name]))];
    }

    /// <summary>Reads one literal, a number or a quoted text, as nanoGPT's command line does; arithmetic is a text there.</summary>
    public static bool TryLiteral(string text, out object? value)
    {
        try
        {
            value = new Parser(text, []).Literal();
            return true;
        }
        catch (FormatException)
        {
            value = null;
            return false;
        }
    }

    private static bool IsPassedOver(string line) =>
        line.TrimStart() is "" or ['#', ..]
        || line.StartsWith("import ", StringComparison.Ordinal) || line.StartsWith("from ", StringComparison.Ordinal);

    /// <summary>A recursive descent over one line. Throws FormatException with what it stumbled on.</summary>
    private ref struct Parser(string line, Dictionary<string, object?> names)
    {
        private int _at = 0;
        private int _depth = 0;

        public (string Name, object? Value) Assignment()
        {
            if (char.IsWhiteSpace(line[0])) throw new FormatException("unexpected indentation");
            var name = Name();
            if (name.Length == 0 || !Take('=') || Peek() == '=') throw new FormatException("no `name = value`");
            return (name, Whole());
        }

        public object? Whole()
        {
            var value = Sum();
            return Peek() is '\0' or '#' ? value : throw new FormatException($"unexpected '{line[_at..]}'");
        }

        public object? Literal()
        {
            var negative = Take('-');
            object? value = Peek() is '\'' or '"' && !negative ? Text() : char.IsAsciiDigit(Peek()) || Peek() == '.' ? Number() : null;
            if (value is null || _at < line.Length) throw new FormatException("not a literal");
            return negative ? Apply("-", 0L, value) : value;
        }

        private object? Sum()
        {
            var left = Product();
            while (Peek() is '+' or '-') left = Apply(line[_at++].ToString(), left, Product());
            return left;
        }

        private object? Product()
        {
            var left = Unary();
            while (Peek() is '*' or '/' or '%')
            {
                var sign = line[_at++].ToString();
                if (sign == "/" && _at < line.Length && line[_at] == '/') (sign, _at) = ("//", _at + 1);
                left = Apply(sign, left, Unary());
            }

            return left;
        }

        private object? Unary()
        {
            if (++_depth > MaxDepth) throw new FormatException("an expression nested too deep");
            var value = Take('-') ? Apply("-", 0L, Unary()) : Take('+') ? Unary() : Power();
            _depth--;
            return value;
        }

        private object? Power()
        {
            var left = Atom();
            if (Peek() != '*' || _at + 1 >= line.Length || line[_at + 1] != '*') return left;
            _at += 2;
            return Apply("**", left, Unary());
        }

        private object? Atom()
        {
            switch (Peek())
            {
                case '(':
                    _at++;
                    var inner = Sum();
                    return Take(')') ? inner : throw new FormatException("a missing ')'");
                case '\'' or '"':
                    return Text();
                case var c when char.IsAsciiDigit(c) || c == '.':
                    return Number();
                case var c when char.IsAsciiLetter(c) || c == '_':
                    return Named();
                default:
                    throw new FormatException(_at < line.Length ? $"unexpected '{line[_at..]}'" : "a missing value");
            }
        }

        private object? Named()
        {
            var name = Name();
            switch (name)
            {
                case "True": return true;
                case "False": return false;
                case "None": return null;
                case "str" or "int" or "float" or "time.time" when Take('('):
                    var argument = name == "time.time" ? null : Sum();
                    if (!Take(')')) throw new FormatException("a missing ')'");
                    return Call(name, argument);
                default:
                    return names.TryGetValue(name, out var value) ? value : throw new FormatException($"an unknown name '{name}'");
            }
        }

        private static object? Call(string name, object? argument) => (name, argument) switch
        {
            ("time.time", _) => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0,
            ("str", null) => "None",
            ("str", bool b) => b ? "True" : "False",
            ("str", IFormattable f) => f.ToString(null, CultureInfo.InvariantCulture),
            ("str", string s) => s,
            ("int", long l) => l,
            ("int", double d) when Math.Abs(d) < 9e18 => (long)d,
            ("float", long l) => (double)l,
            ("float", double d) => d,
            _ => throw new FormatException($"{name}() of something else than a number"),
        };

        private object Number()
        {
            Peek();
            var start = _at;
            while (_at < line.Length && (char.IsAsciiLetterOrDigit(line[_at]) || line[_at] is '.' or '_'
                || (line[_at] is '+' or '-' && line[_at - 1] is 'e' or 'E')))
                _at++;
            var text = line[start.._at].Replace("_", "", StringComparison.Ordinal);
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole)) return whole;
            return double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var fraction)
                ? fraction
                : throw new FormatException($"'{text}' is not a number");
        }

        private string Text()
        {
            Peek();
            var quote = line[_at++];
            var text = new StringBuilder();
            for (; _at < line.Length && line[_at] != quote; _at++)
            {
                if (line[_at] != '\\') text.Append(line[_at]);
                else text.Append(Escaped());
            }

            if (_at++ >= line.Length) throw new FormatException("a text without its closing quote");
            return text.ToString();
        }

        private char Escaped()
        {
            _at++;
            return _at >= line.Length ? throw new FormatException("a text without its closing quote") : line[_at] switch
            {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '\\' or '\'' or '"' => line[_at],
                var c => throw new FormatException($"an escape '\\{c}' that is not known"),
            };
        }

        // Letters, digits, underscores, and dots inside (time.time).
        private string Name()
        {
            Peek();
            var start = _at;
            while (_at < line.Length && (char.IsAsciiLetterOrDigit(line[_at]) || line[_at] is '_' or '.')) _at++;
            return line[start.._at];
        }

        private bool Take(char c)
        {
            if (Peek() != c) return false;
            _at++;
            return true;
        }

        private char Peek()
        {
            while (_at < line.Length && line[_at] is ' ' or '\t') _at++;
            return _at < line.Length ? line[_at] : '\0';
        }
    }

    private static object Apply(string sign, object? left, object? right)
    {
        if (sign == "+" && left is string a && right is string b) return a + b;
        if (left is long m && right is long n) return ApplyWhole(sign, m, n);
        return (left, right) switch
        {
            (long or double, long or double) => ApplyReal(
                sign, Convert.ToDouble(left, CultureInfo.InvariantCulture), Convert.ToDouble(right, CultureInfo.InvariantCulture)),
            _ => throw new FormatException($"'{sign}' between values that are not both numbers"),
        };
    }

    private static object ApplyWhole(string sign, long m, long n)
    {
        try
        {
            return sign switch
            {
                "+" => (object)checked(m + n),
                "-" => checked(m - n),
                "*" => checked(m * n),
                "**" when n is >= 0 and < 64 => Power(m, n),
                "//" when n != 0 => (long)Math.Floor((decimal)m / n),
                "%" when n != 0 => (((m % n) + n) % n),
                _ => ApplyReal(sign, m, n),
            };
        }
        catch (OverflowException e)
        {
            throw new FormatException("a whole number above 64 bits", e);
        }
    }

    private static long Power(long m, long n)
    {
        var power = 1L;
        for (var i = 0; i < n; i++) power = checked(power * m);
        return power;
    }

    private static double ApplyReal(string sign, double x, double y) => sign switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "**" => Math.Pow(x, y),
        "/" when y != 0 => x / y,
        "//" when y != 0 => Math.Floor(x / y),
        _ => throw new FormatException($"'{sign}' that has no value"),
    };
}
