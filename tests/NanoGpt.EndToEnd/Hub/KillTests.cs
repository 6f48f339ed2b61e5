// Promise 15, and the kill -9 of a download: processes that die at any moment leave a cache that the next one goes on with.

using System.Diagnostics;
using System.Globalization;

namespace NanoGpt.EndToEnd.Hub;

public sealed class KillTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_killed_download_goes_on_where_it_was()
    {
        var random = new Random(1);
        var (again, most) = (0L, 0L);
        var kills = TestLength.Choose(3, 50);
        for (var (i, late) = (0, 0); i < kills;)
        {
            await using var sandbox = await HubSandbox.StartAsync();
            var weights = 4_000_000;
            var repository = sandbox.AddModel(weightBytes: weights);
            sandbox.Hub.Fault = request => request.IsCdn ? new TrickleFault(crumbs: 100, pauseMilliseconds: 5) : null;
            var (at, partial) = (random.Next(1, weights - 100_000), 0L);
            using (var victim = HubChild.Start(sandbox.Hub, sandbox.Cache, "gpt2"))
            {
                while ((partial = Partial(sandbox, repository)) < at && !victim.HasExited) await Task.Delay(1, Cancellation);
                victim.Kill();
                await victim.WaitForExitAsync(Cancellation);
                if (victim.ExitCode == 0) // on a busy machine the kill may come too late
                {
                    Assert.True(++late < 20 + kills, "the download is always over before its end");
                    continue;
                }
            }

            i++;

            partial = Partial(sandbox, repository);
            var sent = sandbox.Hub.Requests.Where(request => request.IsCdn).Sum(request => request.BytesSent);
            sandbox.Hub.Fault = null;
            sandbox.Hub.Requests.Clear();
            using var client = sandbox.Client();
            await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
            Assert.Equal(10, sandbox.CheckCache());
            var next = Assert.Single(sandbox.Hub.Requests, request => request.IsCdn);
            Assert.Equal($"bytes={partial.ToString(CultureInfo.InvariantCulture)}-", next.Range); // nothing that reached the file is sent again
            again += sent - partial;
            most = Math.Max(most, sent - partial);
        }

        // Not asserted: what the server had sent and the file not received lay in the sockets' buffers, whose size is the system's.
        TestContext.Current.TestOutputHelper?.WriteLine($"{kills} kills: {again} bytes sent again, at most {most} in one");
    }

    [Fact]
    public async Task Many_processes_that_die_at_random_leave_no_corrupt_file()
    {
        var random = new Random(2);
        var (rounds, processes, killed, survived) = (TestLength.Choose(2, 100), TestLength.Choose(4, 8), 0, 0);
        for (var round = 0; round < rounds; round++)
        {
            await using var sandbox = await HubSandbox.StartAsync();
            sandbox.AddModel(weightBytes: 1_000_000);
            sandbox.Hub.Fault = request => request.IsCdn ? new TrickleFault(crumbs: 20, pauseMilliseconds: random.Next(20)) : null;
            var running = Enumerable.Range(0, processes).Select(_ => HubChild.Start(sandbox.Hub, sandbox.Cache, "gpt2")).ToList();
            await Task.WhenAll(running.Select(async (process, index) =>
            {
                if (index < processes / 2) // the other half lives, and must finish
                {
                    await Task.Delay(new Random(round * 100 + index).Next(1500), Cancellation);
                    if (!process.HasExited) process.Kill();
                }

                await process.WaitForExitAsync(Cancellation);
                if (process.ExitCode == 0) Interlocked.Increment(ref survived);
                else if (index < processes / 2) Interlocked.Increment(ref killed);
                else Assert.Fail(await process.StandardError.ReadToEndAsync(Cancellation));
            }));
            Assert.Equal(10, sandbox.CheckCache());
            running.ForEach(process => process.Dispose());
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{rounds} rounds of {processes}: {survived} finished, {killed} killed");
    }

    [Fact]
    public async Task A_large_file_needs_no_memory()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var weights = new PatternContent(TestLength.IsLong ? 5_000_000_000 : 200_000_000);
        sandbox.Hub.Repository("a/b").Add("config.json", "{}").Add("model.safetensors", weights);
        var watch = Stopwatch.StartNew();
        using var child = HubChild.Start(sandbox.Hub, sandbox.Cache, "a/b");
        var output = await child.StandardOutput.ReadToEndAsync(Cancellation);
        await child.WaitForExitAsync(Cancellation);
        Assert.True(child.ExitCode == 0, await child.StandardError.ReadToEndAsync(Cancellation));
        var memory = long.Parse(output.Trim().Split('\n')[^1], CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"{weights.Length} bytes in {watch.Elapsed.TotalSeconds:0.0} s, at most {memory} bytes of memory above the start");
        Assert.True(memory < 100_000_000, $"{memory} bytes");
    }

    private static long Partial(HubSandbox sandbox, HubRepo repository)
    {
        var etag = repository.Files(repository.Head)["model.safetensors"].ETag;
        var partial = new FileInfo(Path.Combine(sandbox.Cache, "models--openai-community--gpt2", "blobs", etag + ".incomplete"));
        return partial.Exists ? partial.Length : 0;
    }
}
