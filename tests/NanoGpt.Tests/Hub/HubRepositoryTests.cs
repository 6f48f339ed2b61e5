using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubRepositoryTests
{
    [Theory]
    [InlineData("gpt2", "models--gpt2")]
    [InlineData("openai-community/gpt2-xl", "models--openai-community--gpt2-xl")]
    [InlineData("VatsaDev/ChatGpt-nano", "models--VatsaDev--ChatGpt-nano")]
    [InlineData("a/b.c_d-e", "models--a--b.c_d-e")]
    public void Cache_folders_are_named_as_by_Python(string id, string folder)
    {
        Assert.Equal(folder, HubRepository.Parse(id).FolderName);
        Assert.Equal(id, HubRepository.FromFolderName(folder)!.Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b/c")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("..")]
    [InlineData("../a")]
    [InlineData("a/..")]
    [InlineData("a--b")]
    [InlineData("-a")]
    [InlineData("a.")]
    [InlineData("a.git")]
    [InlineData("a b")]
    [InlineData("a\\b")]
    [InlineData("C:a")]
    [InlineData("a\n")]
    [InlineData("https://huggingface.co/gpt2")]
    public void What_is_no_repository_is_refused(string id) => Assert.Throws<ArgumentException>(() => HubRepository.Parse(id));

    [Theory]
    [InlineData("gpt2")]
    [InlineData("openai-community/gpt2")]
    public void GPT2_is_looked_for_under_both_names(string id) =>
        Assert.Equal(["openai-community/gpt2", "gpt2"], HubRepository.ParseModel(id).Select(repository => repository.Id));

    [Theory]
    [InlineData("main", true)]
    [InlineData("refs/pr/12", true)]
    [InlineData("v1.0-rc_2", true)]
    [InlineData("refs/convert/safetensors", true)]
    [InlineData("607a30d783dfa663caf39e06633721c8d4cfcd7e", true)]
    [InlineData("", false)]
    [InlineData("../main", false)]
    [InlineData("a..b", false)]
    [InlineData("a b", false)]
    [InlineData("a@{1}", false)]
    [InlineData("-rf", false)]
    [InlineData("x.lock", false)]
    [InlineData("a^", false)]
    [InlineData("refs/NUL", false)]
    public void Revisions_follow_the_rules_of_git_and_of_files(string revision, bool allowed)
    {
        var refused = Record.Exception(() => HubRepository.CheckRevision(revision));
        Assert.Equal(allowed, refused is null);
        if (!allowed) Assert.IsType<ArgumentException>(refused);
    }
}
