// A command line into words as a shell makes them, as far as the docs use it: spaces and double quotes.

using System.Text;

namespace NanoGpt.EndToEnd.Docs;

internal static class ShellWords
{
    public static List<string> Split(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var isQuoted = false;
        foreach (var c in line)
        {
            if (c == '"') isQuoted = !isQuoted;
            else if (c != ' ' || isQuoted) word.Append(c);
            else if (word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
        }

        if (word.Length > 0) words.Add(word.ToString());
        return words;
    }
}
