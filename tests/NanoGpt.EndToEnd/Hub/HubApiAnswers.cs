// The loopback Hub's API: what the clients of other languages ask for, and uploads (preupload, LFS batch, commit).

using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace NanoGpt.EndToEnd.Hub;

internal static class HubApiAnswers
{
    public static async Task AnswerAsync(LoopbackHub hub, HttpContext http, HubRequest request)
    {
        var body = request.Method is "POST" ? await new StreamReader(http.Request.Body).ReadToEndAsync() : "";
        if (request.Path.StartsWith("/upload/", StringComparison.Ordinal)) await UploadAsync(hub, http, request);
        else if (request.Path == "/api/repos/create") await CreateAsync(hub, http, body);
        else if (request.Path.Contains(".git/info/lfs/objects/batch", StringComparison.Ordinal)) await BatchAsync(hub, http, request, body);
        else if (request.Path.StartsWith("/api/verify/", StringComparison.Ordinal)) Verify(hub, http, request);
        else await ModelAsync(hub, http, request, body);
    }

    private static async Task ModelAsync(LoopbackHub hub, HttpContext http, HubRequest request, string body)
    {
        // /api/models/owner/name[/verb[/revision[/...]]]; a revision in a path arrives with %2F in it.
        var raw = http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget.Split('?')[0];
        var parts = raw["/api/models/".Length..].Split('/').Select(Uri.UnescapeDataString).ToArray();
        var owned = parts.Length > 1 && hub.Repositories.ContainsKey($"{parts[0]}/{parts[1]}");
        var id = owned ? $"{parts[0]}/{parts[1]}" : parts[0];
        var rest = parts[(owned ? 2 : 1)..];
        var verb = rest.ElementAtOrDefault(0) ?? "revision";
        var revision = rest.ElementAtOrDefault(1) ?? "main";
        if (hub.Open(http, id) is not { } repository) return;
        if (verb is "preupload" or "commit" && request.Authorization != $"Bearer {LoopbackHub.Token}")
        {
            LoopbackHub.Refuse(http, 403, null, "Write access needs a token");
            return;
        }

        if (repository.Resolve(revision) is not { } commit)
        {
            LoopbackHub.Refuse(http, 404, "RevisionNotFound", "Invalid rev id: " + revision);
            return;
        }

        var files = repository.Files(commit);
        object? answer = verb switch
        {
            "revision" => new { id, sha = commit, siblings = files.Keys.Select(name => new { rfilename = name }) },
            "tree" => files.Select(file => Entry(file.Key, file.Value, commit)),
            "paths-info" => JsonNode.Parse(body)!["paths"]!.AsArray().Select(path => path!.GetValue<string>())
                .Where(files.ContainsKey).Select(path => Entry(path, files[path], commit)),
            "preupload" => Preupload(body),
            "commit" when Parent(body) is { } parent && parent != commit => null,
            "commit" => Commit(hub, repository, revision, body),
            _ => null,
        };
        if (verb == "commit" && hub.DropCommitAnswers) http.Abort();
        else if (answer is null && verb == "commit") LoopbackHub.Refuse(http, 412, null, "A commit has happened since. Please refresh and try again.");
        else if (answer is null) LoopbackHub.Refuse(http, 404, null, "No such call");
        else await JsonAsync(http, answer);
    }

    private static object Entry(string path, HubRepoFile file, string commit) => new
    {
        type = "file",
        path,
        size = file.Content.Length,
        oid = file.Content.GitSha1,
        lfs = file.IsLfs ? new { oid = file.Content.Sha256, size = file.Content.Length, pointerSize = 134 } : null,
        lastCommit = new { id = commit, title = "commit", date = "2026-01-01T00:00:00.000Z" },
    };

    private static async Task CreateAsync(LoopbackHub hub, HttpContext http, string body)
    {
        if (http.Request.Headers.Authorization != $"Bearer {LoopbackHub.Token}")
        {
            LoopbackHub.Refuse(http, 401, null, "Invalid username or password.");
            return;
        }

        var json = JsonNode.Parse(body)!;
        var id = $"{json["organization"]?.GetValue<string>() ?? "me"}/{json["name"]!.GetValue<string>()}";
        var existed = hub.Repositories.ContainsKey(id);
        var repository = hub.Repository(id);
        if (!existed)
        {
            repository.IsPrivate = json["private"]?.GetValue<bool>() ?? json["visibility"]?.GetValue<string>() == "private";
            repository.Commit("main", files => files[".gitattributes"] = new HubRepoFile("*.safetensors filter=lfs diff=lfs merge=lfs -text\n", IsLfs: false));
        }

        http.Response.StatusCode = existed ? 409 : 200;
        await JsonAsync(http, new { url = $"{hub.Address}{id}", id, name = id });
    }

    private static object Preupload(string body) => new
    {
        files = JsonNode.Parse(body)!["files"]!.AsArray().Select(file => new
        {
            path = file!["path"]!.GetValue<string>(),
            uploadMode = HubRepo.IsLfs(file["path"]!.GetValue<string>(), file["size"]!.GetValue<long>()) ? "lfs" : "regular",
            shouldIgnore = false,
        }),
    };

    private static async Task BatchAsync(LoopbackHub hub, HttpContext http, HubRequest request, string body)
    {
        if (hub.Open(http, request.Path[1..request.Path.IndexOf(".git/", StringComparison.Ordinal)]) is null) return;
        var objects = JsonNode.Parse(body)!["objects"]!.AsArray().Select(item =>
        {
            var (oid, size) = (item!["oid"]!.GetValue<string>(), item["size"]!.GetValue<long>());
            var upload = new { href = $"{hub.CdnAddress}/upload/{oid}?X-Amz-Signature=SignedSecret", header = new Dictionary<string, string> { ["X-Storage-Class"] = "STANDARD" } };
            var verify = new { href = $"{hub.Address}api/verify/{oid}" };
            return new { oid, size, actions = hub.Objects.ContainsKey(oid) ? null : (object)new { upload, verify } };
        });
        await JsonAsync(http, new { transfer = "basic", objects }, "application/vnd.git-lfs+json");
    }

    private static async Task UploadAsync(LoopbackHub hub, HttpContext http, HubRequest request)
    {
        var fault = hub.Fault?.Invoke(request);
        if (fault is not null && await fault.BeforeAsync(hub, http, new HubRepoFile("", true))) return;
        using var bytes = new MemoryStream();
        await http.Request.Body.CopyToAsync(bytes, http.RequestAborted);
        HubContent content = bytes.ToArray();
        if (request.Authorization is not null) LoopbackHub.Refuse(http, 400, null, "Only one auth mechanism allowed"); // as the real storage does
        else if (content.Sha256 != request.Path["/upload/".Length..]) LoopbackHub.Refuse(http, 400, null, "The content has another hash");
        else hub.Objects[content.Sha256] = content;
    }

    private static void Verify(LoopbackHub hub, HttpContext http, HubRequest request)
    {
        if (request.Authorization != $"Bearer {LoopbackHub.Token}") LoopbackHub.Refuse(http, 401, null, "Invalid username or password.");
        else if (!hub.Objects.ContainsKey(request.Path["/api/verify/".Length..])) LoopbackHub.Refuse(http, 404, null, "No such object");
    }

    private static string? Parent(string body) => JsonNode.Parse(body.Split('\n')[0])!["value"]!["parentCommit"]?.GetValue<string>();

    private static object Commit(LoopbackHub hub, HubRepo repository, string branch, string body)
    {
        var commit = repository.Commit(branch, files =>
        {
            foreach (var line in body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!))
            {
                var value = line["value"]!;
                switch (line["key"]!.GetValue<string>())
                {
                    case "header":
                        repository.LastMessage = $"{value["summary"]}\n\n{value["description"]}";
                        break;
                    case "file":
                        files[value["path"]!.GetValue<string>()] = new HubRepoFile(Convert.FromBase64String(value["content"]!.GetValue<string>()), IsLfs: false);
                        break;
                    case "lfsFile":
                        files[value["path"]!.GetValue<string>()] = new HubRepoFile(hub.Objects[value["oid"]!.GetValue<string>()], IsLfs: true);
                        break;
                    case "deletedFile":
                        files.Remove(value["path"]!.GetValue<string>());
                        break;
                }
            }
        });
        return new { success = true, commitOid = commit, commitUrl = $"{hub.Address}{repository.Id}/commit/{commit}", hookOutput = "" };
    }

    private static async Task JsonAsync(HttpContext http, object answer, string type = "application/json")
    {
        http.Response.ContentType = type;
        await http.Response.WriteAsync(JsonSerializer.Serialize(answer), http.RequestAborted);
    }
}
