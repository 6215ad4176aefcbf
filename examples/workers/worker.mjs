// A worker in JavaScript (node 18 or newer, nothing to install):
//   SHIKE_URL=http://127.0.0.1:8787 SHIKE_KEY=shike_… node worker.mjs
// Put your handlers here: what one returns is the result, what it throws the reason of a failure.
const handlers = {
  resize: async ({ file, width }) => ({ file: file.replace(/\.png$/, `-${width}.png`) }),
};

const SLOTS = Number(process.env.SLOTS ?? 10);
const RUNS_MAX = Number(process.env.RUNS_MAX ?? Infinity);
const LEASE_SECONDS = 30;

async function ask(verb, path, body) {
  const response = await fetch(`${process.env.SHIKE_URL}/api/v1/worker/sessions${path}`, {
    method: verb,
    headers: { authorization: `Bearer ${process.env.SHIKE_KEY}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(`${answer.status} ${answer.detail}`);
  return answer;
}

const { session, beat_seconds } = await ask("POST", "", { name: `js.${process.pid}`, lease_seconds: LEASE_SECONDS });
const tasks = Object.keys(handlers);
const held = new Map(); // token → how many runs of that claim are not over
let [claim, received, beats, done, stopping] = [0, 0, 0, 0, false];

process.on("SIGTERM", () => (stopping = true));

const beating = setInterval(async () => {
  try {
    const holds = [...held.keys()];
    await ask("POST", `/${session}/beats`, { number: ++beats, received, holds, lease_seconds: LEASE_SECONDS, tasks });
  } catch (error) {
    console.error(`beat: ${error.message}`); // without beats for a whole lease our runs are others'
  }
}, beat_seconds * 1000);

async function work({ run, token, task, arguments: values }) {
  try {
    return { run, token, outcome: "ok", result: (await handlers[task](values)) ?? null };
  } catch (error) {
    return { run, token, outcome: "failed", error: String(error).slice(0, 1000), log: String(error.stack).slice(0, 4000) };
  }
}

while (!stopping && done < RUNS_MAX) {
  const queues = [{ queue: "default", count: SLOTS }];
  const batch = await ask("POST", `/${session}/claims`, { number: ++claim, tasks, queues, wait_seconds: 20 });
  for (const { token } of batch.runs) held.set(token, (held.get(token) ?? 0) + 1);
  received = claim; // together with what it brought: a beat between the two would give it back
  if (!batch.runs.length) continue;
  const acks = await Promise.all(batch.runs.map(work));
  const { answers } = await ask("POST", `/${session}/acks`, { acks });
  held.clear();
  done += answers.filter((answer) => answer === "accepted").length;
}

clearInterval(beating);
await ask("DELETE", `/${session}`);
