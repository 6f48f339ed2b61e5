// TorchSharp's native library is linked with GCC 13 and asks the system's C++ library for two symbol versions that Debian 12,
// Ubuntu 22.04 (3.4.32) and RHEL 9 (3.4.30 too) do not have, although it runs with what they do have. This makes a copy of
// the library, in memory, that does not ask. The file itself is never changed. Why: docs/decisions/002-loading-libtorch.md.

namespace NanoGpt.Native;

/// <summary>A copy of a library for systems with an older libstdc++.</summary>
internal static class OlderCxxLibrary
{
    private static readonly Relief[] Reliefs =
    [
        // Compilers from GCC 13 on leave this mark in every file that includes <iostream>. Nothing calls it.
        new("GLIBCXX_3.4.32", "_ZSt21ios_base_library_initv", Older: null),

        // std::condition_variable::wait: the same function as before; GCC 12 dropped "noexcept" and so gave it a new version.
        new("GLIBCXX_3.4.30", "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", Older: "GLIBCXX_3.4.11"),
    ];

    /// <summary>Takes the demands out of <paramref name="image"/> that this system's C++ library does not meet.</summary>
    /// <param name="path">Where the bytes come from, for messages.</param>
    /// <param name="image">The bytes of a library; changed in place.</param>
    /// <param name="systemHas">Whether the system's C++ library offers a symbol under a version.</param>
    /// <returns>The versions that are no longer asked for; empty where the system lacks none of those known here.</returns>
    /// <exception cref="BackendException">The bytes are broken, or the library really uses what the system lacks.</exception>
    public static IReadOnlyList<string> Relieve(string path, byte[] image, Func<string, string, bool> systemHas)
    {
        var versions = new ElfVersions(path, image);
        var relieved = new List<string>();
        foreach (var relief in Reliefs)
        {
            if (!versions.Needs.TryGetValue(relief.Version, out var need) || systemHas(relief.Symbol, relief.Version)) continue;
            var used = versions.ReferencedSymbols(need);
            if (relief.Older is not null && versions.Needs.TryGetValue(relief.Older, out var older)
                && systemHas(relief.Symbol, relief.Older))
            {
                versions.Rebind(relief.Symbol, need, older);
                used.Remove(relief.Symbol);
            }

            if (used.Count > 0)
            {
                throw new BackendException($"{path}: uses {used.First()} of {relief.Version}, which this system's libstdc++ "
                    + "does not have. Install a newer libstdc++ (GCC 13 or later), or use a newer distribution.");
            }

            versions.MakeOptional(need);
            relieved.Add(relief.Version);
        }

        return relieved;
    }

    /// <summary>A version that a system may lack without harm.</summary>
    /// <param name="Version">The version.</param>
    /// <param name="Symbol">Its only symbol here; also how to ask a system whether it has the version.</param>
    /// <param name="Older">The version under which older systems have the same function; null where nothing calls it.</param>
    private sealed record Relief(string Version, string Symbol, string? Older);
}
