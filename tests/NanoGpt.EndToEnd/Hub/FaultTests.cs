// Promise 14: a hub file is whole or there is a clear error. Each fault with many seeds, each seed with its own size, kind
// of file, number of faults and remains of an earlier download. Promise 17 rides along: a token is always set, and nothing
// that is logged or thrown may show it.

using System.Collections.Concurrent;
using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

public sealed class FaultTests
{
    private static readonly int Seeds = TestLength.Choose(8, 200);

    private static readonly Dictionary<string, Func<Random, HubFault>> Faults = new()
    {
        ["drop"] = random => new DropFault(random.NextDouble()),
        ["hang-up"] = _ => new HangUpFault(),
        ["stall"] = random => new StallFault(random.NextDouble()),
        ["silence"] = _ => new SilenceFault(),
        ["trickle"] = random => new TrickleFault(random.Next(2, 40), random.Next(3)),
        ["truncate"] = random => new TruncateFault(random.NextDouble()),
        ["overlong"] = random => new OverlongFault(random.Next(1, 100_000)),
        ["flip"] = random => new FlipFault(random.NextDouble()),
        ["length-short"] = random => new LengthFault(-random.Next(1, 1000)),
        ["length-long"] = random => new LengthFault(random.Next(1, 1000)),
        ["size-header"] = random => new HeaderFault("X-Linked-Size", random.Next(4) switch { 0 => "-1", 1 => "99999999999999999999", 2 => "x", _ => random.Next(1000).ToString() }),
        ["range-shifted"] = random => new RangeFault(random.Next(-500, 500) | 1, admits: true),
        ["range-lie"] = random => new RangeFault(random.Next(-500, 500) | 1, admits: false),
        ["range-ignored"] = random => new IgnoreRangeFault(random.Next(2) == 0 ? 1 : random.NextDouble()),
        ["range-header"] = random => new HeaderFault("Content-Range", random.Next(3) switch { 0 => null, 1 => "bytes 0-0/1", _ => "nonsense" }),
        ["gzip"] = _ => new GzipFault(),
        ["429"] = random => new StatusFault(429, random.Next(2) == 0 ? "RateLimit" : "Retry-After", random.Next(2) == 0 ? "\"api\";r=0;t=0" : "0"),
        ["5xx"] = random => new StatusFault(random.Next(4) switch { 0 => 500, 1 => 502, 2 => 503, _ => 504 }),
        ["refused"] = random => new StatusFault(random.Next(5) switch { 0 => 403, 1 => 408, 2 => 410, 3 => 416, _ => 501 }),
        ["redirect-loop"] = _ => new RedirectFault((hub, http) => $"http://{http.Request.Host}{http.Request.Path}"),
        ["redirect-relative-loop"] = _ => new RedirectFault((_, http) => http.Request.Path, 307),
        ["redirect-nowhere"] = random => new RedirectFault((_, _) => random.Next(4) switch { 0 => null, 1 => "ftp://localhost/x", 2 => "http://", _ => "//localhost:1/x" }),
        ["etag-changed"] = random => new HeaderFault("X-Linked-Etag", $"\"{new string((char)('a' + random.Next(6)), 64)}\""),
        ["etag-strange"] = random => new HeaderFault("X-Linked-Etag", random.Next(5) switch { 0 => "", 1 => "..", 2 => "a/b", 3 => "CON", _ => "W/\"nonsense\"" }),
        ["commit-strange"] = random => new HeaderFault("X-Repo-Commit", random.Next(4) switch { 0 => null, 1 => "..", 2 => "main", _ => new string('a', 40) }),
    };

    // Gone after two times, these leave no reason to fail: five tries are allowed.
    private static readonly string[] Survivable =
        ["drop", "hang-up", "stall", "silence", "trickle", "truncate", "overlong", "429", "5xx", "range-shifted", "range-ignored", "range-header"];

    public static TheoryData<string> Names => [.. Faults.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_file_is_whole_or_there_is_a_clear_error(string name)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var faults = new ConcurrentDictionary<string, Func<HubRequest, HubFault?>>();
        sandbox.Hub.Fault = request => faults.FirstOrDefault(entry => request.Path.Contains(entry.Key, StringComparison.Ordinal)).Value?.Invoke(request);
        var outcomes = new ConcurrentDictionary<string, int>();
        await Parallel.ForEachAsync(Enumerable.Range(0, Seeds), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken },
            async (seed, _) =>
            {
                var outcome = await new Scenario(sandbox, name, seed).RunAsync(faults);
                outcomes.AddOrUpdate(outcome, 1, (_, count) => count + 1);
            });

        AssertNoSecret(sandbox.Log.Text, "the log");
        Assert.DoesNotContain(sandbox.Hub.Requests, request => request.IsCdn && request.Authorization is not null);
        var table = string.Join(", ", outcomes.OrderByDescending(outcome => outcome.Value).Select(outcome => $"{outcome.Key} {outcome.Value}"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {table}");
        if (Environment.GetEnvironmentVariable("NANOGPT_FAULT_TABLE") is { Length: > 0 } path) await File.AppendAllTextAsync(path, $"| {name} | {table} |\n", CancellationToken.None);
    }

    private static void AssertNoSecret(string text, string where)
    {
        Assert.False(text.Contains(LoopbackHub.Token, StringComparison.Ordinal), $"the token is in {where}");
        Assert.False(text.Contains("SignedSecret", StringComparison.Ordinal), $"a signature is in {where}");
    }

    private sealed class Scenario(HubSandbox sandbox, string name, int seed)
    {
        private bool _garbage;

        public async Task<string> RunAsync(ConcurrentDictionary<string, Func<HubRequest, HubFault?>> faults)
        {
            var random = new Random(HashCode(name) ^ (seed * 7919));
            var length = random.Next(5) switch { 0 => random.Next(3), 1 => random.Next(1000), _ => random.Next(10_000, 400_000) };
            var content = new HubBytes(HubSandbox.Noise(length, seed));
            var repository = sandbox.Hub.Repository($"f/s{seed}x").Add("weights.bin", content, lfs: random.Next(3) > 0);
            var file = repository.Files(repository.Head)["weights.bin"];
            var cache = Path.Combine(sandbox.Root, $"{name}-{seed}");
            LeaveRemains(random, cache, repository, file);

            var times = random.Next(4) switch { 0 => 1, 1 => 2, 2 => random.Next(3, 6), _ => int.MaxValue };
            var wantHead = random.Next(4) == 0;
            var left = times;
            faults[$"f/s{seed}x/"] = request => (request.Method == "HEAD") == wantHead && left > 0 && left-- > 0 ? Faults[name](random) : null;

            // Short enough to meet silence often, long enough for a busy machine.
            var timeout = TimeSpan.FromMilliseconds(name is "stall" or "silence" ? 400 : 20_000);
            using var client = new HubClient(Copy(sandbox.Options(token: LoopbackHub.Token, links: random.Next(4) == 0 ? false : null, cache: cache), timeout));
            try
            {
                var path = await client.DownloadFileAsync(repository.Id, "weights.bin", cancellationToken: TestContext.Current.CancellationToken);
                Assert.Equal(content.Sha256, HubSandbox.Sha256(path));
                return "right";
            }
            catch (HubException e)
            {
                AssertNoSecret(e + e.RequestId, "an exception");
                Assert.True(e.Message.Length > 40, e.Message);
                Assert.False(times <= 2 && !_garbage && Survivable.Contains(name), $"seed {seed}: {times} times {name} must be survived: {e}");
                return e.Kind.ToString();
            }
            finally
            {
                if (Directory.Exists(cache))
                {
                    sandbox.CheckCache(cache);
                    Directory.Delete(cache, recursive: true);
                }
            }
        }

        // What a run before may have left: nothing, a true part, garbage, all of it and more.
        private void LeaveRemains(Random random, string cache, HubRepo repository, HubRepoFile file)
        {
            var bytes = ((HubBytes)file.Content).Bytes;
            var remains = random.Next(6) switch
            {
                0 => bytes[..random.Next(bytes.Length + 1)],
                1 => HubSandbox.Noise(random.Next(1, bytes.Length + 100), seed + 1),
                2 => [.. bytes, 1, 2, 3],
                3 => bytes,
                _ => null,
            };
            if (remains is null) return;
            _garbage = !bytes.AsSpan().StartsWith(remains);
            var layout = new HubCacheLayout(cache, HubRepository.Parse(repository.Id));
            layout.Prepare(repository.Head, file.ETag);
            File.WriteAllBytes(layout.Partial(file.ETag), remains);
        }

        private static HubOptions Copy(HubOptions options, TimeSpan timeout) => new()
        {
            Endpoint = options.Endpoint,
            CacheDirectory = options.CacheDirectory,
            Token = options.Token,
            MaxTries = options.MaxTries,
            RetryDelay = options.RetryDelay,
            MaxRetryDelay = options.MaxRetryDelay,
            UseSymbolicLinks = options.UseSymbolicLinks,
            LoggerFactory = options.LoggerFactory,
            MetadataTimeout = timeout,
            DownloadTimeout = timeout,
        };

        private static int HashCode(string text) => text.Aggregate(17, (hash, c) => unchecked(hash * 31 + c)); // the same in every run
    }
}
