// The page in a real browser: generates, points at a token, and writes what is to be seen there.
//
//     node page.mjs CHROMIUM ADDRESS KEY PROMPT TOKENS SEED [light|dark] [PICTURE.png]

import { chromium } from "playwright-core";

const [executablePath, address, key, prompt, tokens, seed, colorScheme = "light", picture] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage({ colorScheme, viewport: { width: 900, height: 820 } });
  const faults = [], elsewhere = [];
  page.on("pageerror", error => faults.push(String(error)));
  page.on("console", message => { if (message.type() === "error" && !message.text().includes("401")) faults.push(message.text()); });
  page.on("request", request => { if (!request.url().startsWith(address)) elsewhere.push(request.url()); });

  await page.goto(address);
  if (key) {
    await page.locator("#key").waitFor({ state: "visible" });
    await page.fill("[name=key]", key);
  }
  await page.fill("[name=prompt]", prompt);
  for (const [name, value] of Object.entries({ max_tokens: tokens, temperature: "1", top_k: "0", seed })) await page.fill(`[name=${name}]`, value);
  await page.click("button");
  await page.locator("body[data-state=done]").waitFor();

  const third = page.locator(".token").nth(2);
  await third.hover();
  const card = await page.locator("#card li").evaluateAll(rows => rows.map(row => ({
    text: row.children[0].textContent, share: parseFloat(row.children[1].textContent), isChosen: row.className === "chosen",
  })));
  if (picture) await page.screenshot({ path: picture });

  await third.focus();
  await page.keyboard.press("ArrowRight");
  const focused = await page.evaluate(() => [...document.querySelectorAll(".token")].indexOf(document.activeElement));
  await page.keyboard.press("Escape");
  const isCardHidden = await page.locator("#card").isHidden();

  console.log(JSON.stringify({
    text: await page.locator("#text").evaluate(element => element.textContent), third: await third.textContent(), card, focused, isCardHidden,
    status: await page.textContent("#status"), model: await page.textContent("#model"), faults, elsewhere,
  }));
} finally {
  await browser.close();
}
