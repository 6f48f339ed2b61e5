using NanoGpt.Numerics;

namespace NanoGpt.Tests.Numerics;

public sealed class WorkerTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Each_round_runs_exactly_once_in_every_loop(int size)
    {
        using var team = new WorkerTeam(size);
        var random = new Random(1);
        for (var loop = 0; loop < 500; loop++)
        {
            var counts = new int[random.Next(0, 40)];
            team.For(counts.Length, WorkerTeam.WorthSharing, (round, worker) =>
            {
                Assert.InRange(worker, 0, size - 1);
                Interlocked.Increment(ref counts[round]);
            });
            Assert.All(counts, count => Assert.Equal(1, count));
            if (loop % 100 == 0) Thread.Sleep(2); // Long enough for the threads to fall asleep.
        }
    }

    [Fact]
    public void A_failing_round_reaches_the_caller_and_the_team_lives_on()
    {
        using var team = new WorkerTeam(3);
        for (var i = 0; i < 100; i++)
        {
            var failing = i % 20;
            var error = Assert.Throws<InvalidOperationException>(() => team.For(20, WorkerTeam.WorthSharing, (round, _) =>
            {
                if (round == failing) throw new InvalidOperationException($"round {round}");
            }));
            Assert.Equal($"round {failing}", error.Message);
        }

        var sum = 0;
        team.For(100, WorkerTeam.WorthSharing, (round, _) => Interlocked.Add(ref sum, round));
        Assert.Equal(4950, sum);
    }
}
