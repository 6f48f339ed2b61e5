using NanoGpt.Fuzz;

namespace NanoGpt.Tests.Formats;

/// <summary>The short form of tests/NanoGpt.Fuzz: 210,000 inputs. docs/security.md has the result of the long form.</summary>
public sealed class FuzzTests
{
    [Theory]
    [InlineData("safetensors", 120_000)]
    [InlineData("config", 60_000)]
    [InlineData("pt", 30_000)]
    public void Hostile_files_are_read_or_refused_in_bounded_memory(string kind, int count)
    {
        const int Seed = 20_240_501;
        var target = FuzzTarget.All[kind]();
        var accepted = 0;

        // A FuzzFinding names seed and input: dotnet run --project tests/NanoGpt.Fuzz -- KIND --seed=S --only=N
        for (var number = 0; number < count; number++)
            if (target.Run(Seed, number).Accepted) accepted++;

        // Mutations that nothing survives would test the first check only.
        Assert.InRange(accepted, count / 200, count / 2);
    }
}
