// How libtorch starts, or says why it does not: each case in a process of its own and a folder of its own, made of this
// program's files with something missing, broken or foreign among them.

using System.Diagnostics;
using Microsoft.Extensions.Logging;
using NanoGpt.Native;
using TorchSharp;

namespace NanoGpt.EndToEnd;

public sealed class LibtorchStartTests : IDisposable
{
    private const string ResultVariable = "NANOGPT_TEST_RESULT";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nanogpt-start-");

    public LibtorchStartTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "takes Linux libraries apart");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact(Explicit = true)]
    public void In_a_new_process()
    {
        var watch = Stopwatch.StartNew();
        string result;
        try
        {
            var log = new Lines();
            Libtorch.EnsureLoaded(log);
            result = $"{torch.ones(3).sum().item<float>()} from {DynamicLoader.PathOf(DynamicLoader.FindLoaded("libc10.so"))}; "
                + $"{log.Count} log lines: {string.Join('|', log)}";
        }
        catch (BackendException e)
        {
            result = e.Message;
        }

        File.WriteAllText(Environment.GetEnvironmentVariable(ResultVariable)!, $"{result} ({watch.ElapsedMilliseconds} ms)");
    }

    [Fact]
    public void Several_first_starts_at_once_all_succeed()
    {
        Stage();
        var results = Enumerable.Range(0, 4).AsParallel().WithDegreeOfParallelism(4).Select(_ => Start()).ToArray();
        Assert.All(results, result => Assert.StartsWith("3 from ", result, StringComparison.Ordinal));
    }

    [Fact]
    public void A_program_without_libtorch_is_told_which_package_to_add()
    {
        Stage(leaveOut: ["libc10.so", "libtorch_cpu.so", "libtorch.so", "libLibTorchSharp.so"]);
        var result = Start();
        Assert.StartsWith("libtorch is not there: no libc10.so in ", result, StringComparison.Ordinal);
        Assert.Contains("TorchSharp-cpu", result, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_that_was_cut_short_does_not_end_the_process()
    {
        Stage(leaveOut: ["libtorch_cpu.so"]);
        using (var whole = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "libtorch_cpu.so")))
        using (var part = File.Create(In("libtorch_cpu.so")))
        {
            var head = new byte[1 << 20];
            whole.ReadExactly(head);
            part.Write(head);
        }

        var result = Start();
        Assert.StartsWith($"{In("libtorch_cpu.so")}: cut short: ", result, StringComparison.Ordinal);
        Assert.Contains("dotnet restore --force", result, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_for_another_processor_is_named_so()
    {
        Stage(leaveOut: ["libc10.so"]);
        var image = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "libc10.so"));
        image[18] = 183; // e_machine: arm64
        File.WriteAllBytes(In("libc10.so"), image);
        Assert.StartsWith($"{In("libc10.so")}: built for arm64", Start(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_whose_neighbour_is_missing_says_which()
    {
        Stage(leaveOut: ["libgomp-98b21ff3.so.1"]);
        Assert.Contains("libgomp", Start(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_chosen_folder_without_libtorch_is_refused()
    {
        Stage();
        var result = Start(("NANOGPT_LIBTORCH", In("nowhere")));
        Assert.StartsWith($"NANOGPT_LIBTORCH={In("nowhere")}: there is no libc10.so in {In("nowhere")} (no such folder)", result, StringComparison.Ordinal);
    }

    [Fact]
    public void A_chosen_libtorch_of_another_version_is_refused()
    {
        Stage();
        var other = _folder.CreateSubdirectory("other").FullName;
        foreach (var name in LibtorchFiles.Libraries) File.Copy(In("libc10.so"), Path.Combine(other, name)); // not what it says
        var result = Start(("NANOGPT_LIBTORCH", other));
        Assert.StartsWith($"{other}/libtorch_cpu.so: this is no libtorch, or an older one; ", result, StringComparison.Ordinal);
    }

    [Fact]
    public void A_chosen_libtorch_is_used_instead_of_the_programs_own()
    {
        Stage();
        var other = _folder.CreateSubdirectory("other/lib").FullName;
        foreach (var file in Directory.GetFiles(AppContext.BaseDirectory, "lib*.so*").Select(Path.GetFileName))
        {
            // Copies: by links the loader would know the program's own libraries again.
            if (LibtorchFiles.Libraries.Contains(file) || file!.StartsWith("libgomp", StringComparison.Ordinal))
                File.Copy(Path.Combine(AppContext.BaseDirectory, file!), Path.Combine(other, file!));
        }

        Assert.StartsWith($"3 from {other}/libc10.so", Start(("NANOGPT_LIBTORCH", Path.GetDirectoryName(other)!)), StringComparison.Ordinal);
    }

    [Fact]
    public void Red_Hat_9_with_its_older_cpp_library_is_enough()
    {
        // This system's libstdc++ with the version GLIBCXX_3.4.30 taken out of what it offers.
        var own = new[] { "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib64/libstdc++.so.6" }.FirstOrDefault(File.Exists);
        Assert.SkipWhen(own is null, "libstdc++ is not where Debian or Red Hat have it");
        var image = File.ReadAllBytes(own!);
        Assert.SkipUnless(TakeOut(image, "GLIBCXX_3.4.30") > 0, "this system's libstdc++ is older than the one to imitate");
        Stage();
        File.WriteAllBytes(Path.Combine(_folder.CreateSubdirectory("older").FullName, "libstdc++.so.6"), image);
        var result = Start(("LD_LIBRARY_PATH", In("older")));
        Assert.StartsWith("3 from ", result, StringComparison.Ordinal);
        Assert.Contains("1 log lines: ", result, StringComparison.Ordinal);
        Assert.Contains("asks for GLIBCXX_3.4.32 and GLIBCXX_3.4.30, which", result, StringComparison.Ordinal);
    }

    private string In(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>This program's files in a folder of their own: libraries as links, the rest copied.</summary>
    private void Stage(params string[] leaveOut)
    {
        foreach (var path in Directory.GetFiles(AppContext.BaseDirectory))
        {
            var name = Path.GetFileName(path);
            if (leaveOut.Contains(name)) continue;
            if (name.Contains(".so", StringComparison.Ordinal)) File.CreateSymbolicLink(In(name), path);
            else if (!name.EndsWith(".deps.json", StringComparison.Ordinal)) File.Copy(path, In(name)); // it lists what we leave out
        }
    }

    private string Start(params (string Name, string Value)[] variables)
    {
        var result = In($"{Guid.NewGuid():N}.txt");
        var start = new ProcessStartInfo("dotnet",
            [In("NanoGpt.EndToEnd.dll"), "-explicit", "only", "-method", $"*{nameof(LibtorchStartTests)}.{nameof(In_a_new_process)}"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment[ResultVariable] = result;
        foreach (var (name, value) in variables) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(File.Exists(result), $"the process ended with {process.ExitCode} and no result:\n{output}");
        return File.ReadAllText(result);
    }

    /// <summary>Renames a version in the list of those that a library defines; the loader looks for it by hash and name.</summary>
    private static int TakeOut(byte[] image, string version)
    {
        var found = 0;
        var name = System.Text.Encoding.ASCII.GetBytes(version + "\0");
        for (var at = image.AsSpan().IndexOf(name); at >= 0; at = image.AsSpan().IndexOf(name), found++) image[at] = (byte)'X';
        return found;
    }

    private sealed class Lines : List<string>, ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Add(formatter(state, exception));
    }
}
