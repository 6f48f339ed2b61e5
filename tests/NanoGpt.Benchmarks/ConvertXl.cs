// Peak memory of converting GPT-2 xl from a Hugging Face folder to nanoGPT's checkpoint and back. The weights are the holes
// of a sparse file: zeros, and 6.2 GB of them. Each way runs in a process of its own.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Benchmarks;

internal static class ConvertXl
{
    private static readonly GPTConfig Model = GPTConfig.Gpt2XL;

    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is ["one", var form, var from, var to]) return RunOne(form, from, to);
        var folder = Directory.CreateTempSubdirectory("nanogpt-convert-").FullName;
        try
        {
            string hf = Path.Combine(folder, "hf"), nanoGpt = Path.Combine(folder, "nanogpt"), back = Path.Combine(folder, "back");
            Make(hf);
            Console.WriteLine(Machine.Line());
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Model.CountParameters() * sizeof(float) / 1e6:f0} MB of weights"));
            Console.WriteLine("| to | s | peak resident MB | managed MB allocated |\n| --- | --- | --- | --- |");
            Console.WriteLine(StartOne("nanogpt", hf, nanoGpt));
            Console.WriteLine(StartOne("huggingface", nanoGpt, back));
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int RunOne(string form, string from, string to)
    {
        var clock = Stopwatch.StartNew();
        using var gpt = GPT.FromPretrained(from);
        if (form == "nanogpt") gpt.SaveNanoGpt(to);
        else gpt.SavePretrained(to);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {form} | {clock.Elapsed.TotalSeconds:f1} | {Machine.PeakMegabytes() * 1.048576:f0} | {GC.GetTotalAllocatedBytes() / 1e6:f0} |"));
        return 0;
    }

    private static void Make(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, ConfigJson.FileName), ConfigJson.Write(Model, TensorType.F32));
        var header = new StringBuilder("{");
        var end = 0L;
        foreach (var (name, shape) in GPTWeights.Expected(Model))
        {
            var stored = GPTWeights.IsConv1D(name) ? shape.Reverse() : shape;
            var begin = end;
            end += shape.Aggregate(1L, (product, length) => product * length) * sizeof(float);
            header.Append(CultureInfo.InvariantCulture, $"{(begin > 0 ? "," : "")}\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', stored)}],\"data_offsets\":[{begin},{end}]}}");
        }

        var bytes = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        using var stream = new FileStream(Path.Combine(folder, ModelFolder.WeightsFile), FileMode.CreateNew);
        stream.Write(BitConverter.GetBytes((long)bytes.Length));
        stream.Write(bytes);
        stream.SetLength(stream.Position + end);
    }

    private static string StartOne(string form, string from, string to)
    {
        using var process = Machine.StartAgain(["convert", "one", form, from, to]);
        return process.StandardOutput.ReadToEnd().TrimEnd();
    }
}
