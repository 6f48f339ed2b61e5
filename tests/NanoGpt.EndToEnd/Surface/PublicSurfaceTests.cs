// What is public is used: by the commands, or by a test. A member that nobody calls is one that nobody has tried.

using System.Reflection;
using System.Text.RegularExpressions;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Surface;

public sealed class PublicSurfaceTests
{
    private static readonly Assembly Library = typeof(GPT).Assembly;

    [Fact]
    public void Each_public_member_is_called_by_a_test_or_a_sample()
    {
        var called = Programs().SelectMany(CalledMembers.In).ToHashSet();
        Assert.Contains("NanoGpt.GPT.FromPretrained", called); // a reader that sees no call would find all unused
        var unused = PublicMembers.Of(Library).Where(member => !Names(member).Any(called.Contains)).Select(m => $"{m.DeclaringType}: {m}").ToList();
        Assert.True(unused.Count == 0, "Public, and called by no test and no command:\n" + string.Join('\n', unused));
    }

    [Fact]
    public void Each_public_constant_is_named_in_a_test_or_a_sample()
    {
        var words = new[] { "tests", "src/NanoGpt.Samples" }.Select(folder => Repository.File(folder.Split('/')))
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Regex.Matches(File.ReadAllText(file), @"\w+\.\w+")).Select(match => match.Value).ToHashSet();
        var unused = PublicMembers.ConstantsOf(Library).Select(field => $"{field.DeclaringType!.Name}.{field.Name}").Where(name => !words.Contains(name)).ToList();
        Assert.True(unused.Count == 0, "Public, and named by no test and no command:\n" + string.Join('\n', unused));
    }

    /// <summary>These tests, the commands, and the unit tests beside them.</summary>
    private static IEnumerable<string> Programs()
    {
        var here = AppContext.BaseDirectory;
        var unitTests = Path.Combine(here.Replace("NanoGpt.EndToEnd", "NanoGpt.Tests", StringComparison.Ordinal), "NanoGpt.Tests.dll");
        Assert.SkipUnless(File.Exists(unitTests), "The unit tests are not built; dotnet test builds them.");
        return [Path.Combine(here, "NanoGpt.EndToEnd.dll"), Path.Combine(here, "NanoGpt.Samples.dll"), unitTests];
    }

    /// <summary>The calls that use a member; one that a constructor sets is used by that too.</summary>
    private static IEnumerable<string> Names(MemberInfo member)
    {
        var type = member.DeclaringType!;
        if (member is not PropertyInfo) return [$"{type.FullName}.{member.Name}"];
        var isSetByConstructor = type.GetConstructors().Any(c => c.GetParameters().Any(p => p.Name == member.Name));
        return [$"{type.FullName}.get_{member.Name}", $"{type.FullName}.set_{member.Name}", .. isSetByConstructor ? [$"{type.FullName}..ctor"] : Array.Empty<string>()];
    }
}
