// Runs one call of @huggingface/hub and prints its result as JSON. Started by NodeClientTests.cs.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRepo, downloadFile, scanCacheDir, snapshotDownload, uploadFiles } from "@huggingface/hub";

console.debug = () => {}; // the client talks on standard output, which is for the result

const [command, ...rest] = process.argv.slice(2);
const commands = {
  async download(hubUrl, repo, path, target) {
    const blob = await downloadFile({ repo, path, hubUrl });
    writeFileSync(target, Buffer.from(await blob.arrayBuffer()));
    return { size: blob.size };
  },
  async scan(cacheDir) {
    const { repos, warnings, size } = await scanCacheDir(cacheDir);
    return {
      size,
      warnings: warnings.map(String),
      repos: repos.map(({ id, size, filesCount, revisions }) => ({
        name: id.name,
        size,
        filesCount,
        revisions: revisions.map(({ commitOid, refs, files }) => ({ commitOid, refs, files: files.length })),
      })),
    };
  },
  async snapshot(hubUrl, repo, cacheDir) {
    return { folder: await snapshotDownload({ repo, hubUrl, cacheDir }) };
  },
  async upload(hubUrl, repo, folder, accessToken) {
    await createRepo({ repo, hubUrl, accessToken, visibility: "public" });
    const files = readdirSync(folder).map((path) => ({ path, content: new Blob([readFileSync(join(folder, path))]) }));
    const result = await uploadFiles({ repo, files, hubUrl, accessToken, useXet: false });
    return { commit: result.commit.oid };
  },
};
console.log(JSON.stringify(await commands[command](...rest)));
