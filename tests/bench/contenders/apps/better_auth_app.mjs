// Better Auth as its documentation sets it up: node's own server, the pg pool, e-mail and
// password, the admin plugin for lists. PROCESSES workers share the port. ARGON2 replaces the
// default hash (scrypt) by Argon2id with the parameters of the others.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// Packages lie where the bench installed them, not beside this file.
const require = createRequire(process.env.PACKAGES + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const { betterAuth } = await load("better-auth");
const { toNodeHandler } = await load("better-auth/node");
const { admin } = await load("better-auth/plugins");
const { getMigrations } = await load("better-auth/db/migration");
const pg = await load("pg");

const options = {
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  secret: process.env.SECRET,
  database: new pg.default.Pool({ connectionString: process.env.DATABASE_URL }),
  emailAndPassword: { enabled: true },
  plugins: [admin()],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
};

if (process.env.ARGON2) {
  const argon2 = await load("@node-rs/argon2");
  const [memoryCost, timeCost, parallelism] = process.env.ARGON2.split(",").map(Number);
  options.emailAndPassword.password = {
    hash: (password) => argon2.hash(password, { memoryCost, timeCost, parallelism }),
    verify: ({ hash, password }) => argon2.verify(hash, password),
  };
}

const processes = Number(process.env.PROCESSES);
if (process.argv[2] === "migrate") {
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  process.exit(0);
} else if (cluster.isPrimary && processes > 1) {
  for (let number = 0; number < processes; number++) cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
} else {
  const answer = toNodeHandler(betterAuth(options));
  createServer(answer).listen(Number(process.env.PORT), "127.0.0.1");
}
