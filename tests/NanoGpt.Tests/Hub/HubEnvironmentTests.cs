using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubEnvironmentTests
{
    private static readonly string Home = Path.Combine(Path.GetTempPath(), "home");

    [Fact]
    public void The_cache_lies_where_Python_has_it()
    {
        Assert.Equal(Path.Combine(Home, ".cache", "huggingface", "hub"), Read().CacheDirectory);
        Assert.Equal(Under("xdg", "huggingface", "hub"), Read(("XDG_CACHE_HOME", Under("xdg"))).CacheDirectory);
        Assert.Equal(Under("hf", "hub"), Read(("HF_HOME", Under("hf")), ("XDG_CACHE_HOME", Under("xdg"))).CacheDirectory);
        Assert.Equal(Under("old"), Read(("HUGGINGFACE_HUB_CACHE", Under("old")), ("HF_HOME", Under("hf"))).CacheDirectory);
        Assert.Equal(Under("new"), Read(("HF_HUB_CACHE", Under("new")), ("HUGGINGFACE_HUB_CACHE", Under("old"))).CacheDirectory);
    }

    [Fact]
    public void Home_and_variables_in_folders_are_expanded()
    {
        Assert.Equal(Path.Combine(Home, "c"), Read(("HF_HUB_CACHE", "~/c")).CacheDirectory);
        Assert.Equal(Under("disk", "c"), Read(("HF_HUB_CACHE", "$DISK/c"), ("DISK", Under("disk"))).CacheDirectory);
        Assert.Equal(Under("disk", "c"), Read(("HF_HUB_CACHE", "${DISK}/c"), ("DISK", Under("disk"))).CacheDirectory);
        Assert.Equal(Under("$NONE"), Read(("HF_HUB_CACHE", Under("$NONE"))).CacheDirectory);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("on", true)]
    [InlineData("Yes", true)]
    [InlineData("TRUE", true)]
    [InlineData("0", false)]
    [InlineData("", false)]
    [InlineData("2", false)]
    public void True_has_the_spellings_of_Python(string value, bool expected)
    {
        Assert.Equal(expected, Read(("HF_HUB_OFFLINE", value)).Offline);
        Assert.Equal(expected, Read(("TRANSFORMERS_OFFLINE", value)).Offline);
    }

    [Fact]
    public void The_token_is_taken_from_the_first_place_that_has_one()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("token"), "hf_file\n");
        var file = ("HF_HOME", folder.Path);
        Assert.Null(Read().Token());
        Assert.Equal("hf_file", Read(file).Token()?.Token);
        Assert.Equal("hf_old", Read(file, ("HUGGING_FACE_HUB_TOKEN", "hf_old")).Token()?.Token);
        Assert.Equal("hf_new", Read(file, ("HUGGING_FACE_HUB_TOKEN", "hf_old"), ("HF_TOKEN", " hf_new\r\n")).Token()?.Token);
        Assert.Null(Read(file, ("HF_TOKEN", "hf_new"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")).Token());
    }

    [Fact]
    public void Timeouts_and_endpoint_have_the_documented_defaults()
    {
        Assert.Equal("https://huggingface.co", Read().Endpoint);
        Assert.Equal("https://mirror.example/hf", Read(("HF_ENDPOINT", "https://mirror.example/hf/")).Endpoint);
        Assert.Equal(10, Read().MetadataTimeout.TotalSeconds);
        Assert.Equal(2.5, Read(("HF_HUB_ETAG_TIMEOUT", "2.5")).MetadataTimeout.TotalSeconds);
        Assert.Equal(10, Read(("HF_HUB_DOWNLOAD_TIMEOUT", "soon")).DownloadTimeout.TotalSeconds);
    }

    [Fact]
    public void A_token_that_cannot_be_sent_is_refused_without_being_shown()
    {
        var refused = Assert.Throws<HubException>(() => new HubClient(new HubOptions { Token = "hf_se\ncret" }));
        Assert.Equal(HubErrorKind.Unauthorized, refused.Kind);
        Assert.DoesNotContain("cret", refused.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ftp://huggingface.co")]
    [InlineData("https://user:hf_secret@huggingface.co")]
    [InlineData("https://huggingface.co?token=hf_secret")]
    public void An_endpoint_that_is_no_plain_web_address_is_refused_without_being_shown(string endpoint)
    {
        var refused = Assert.Throws<ArgumentException>(() => new HubClient(new HubOptions { Endpoint = new Uri(endpoint) }));
        Assert.DoesNotContain("hf_secret", refused.Message, StringComparison.Ordinal);
    }

    private static string Under(params string[] parts) => Path.Combine([Path.GetTempPath(), .. parts]);

    private static HubEnvironment Read(params (string Name, string Value)[] variables)
    {
        var values = variables.ToDictionary(variable => variable.Name, variable => variable.Value);
        return new HubEnvironment(values.GetValueOrDefault, Home);
    }
}
