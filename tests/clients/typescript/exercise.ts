// Exercise A with the client that openapi-typescript makes of the document and openapi-fetch runs: a macvlan network, two
// sandboxes, two MACs, ARP replies, leases, stopping and pruning. Ends with an error at the first answer that is not as it should be.
//
//   TOKEN=... node exercise.ts http://127.0.0.1:8080 parent0

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.d.ts";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

type Sandbox = components["schemas"]["Sandbox"];

const [, , baseUrl, parent] = process.argv;
if (baseUrl === undefined || parent === undefined) {
  throw new Error("usage: node exercise.ts BASE_URL PARENT");
}
const client = createClient<paths>({
  baseUrl,
  headers: { Authorization: `Bearer ${process.env["TOKEN"]}` },
});

function equal(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) {
    throw new Error(`${what}: ${a} instead of ${b}`);
  }
}

function must<T>(what: string, value: T | undefined): T {
  if (value === undefined) {
    throw new Error(`${what} is missing`);
  }
  return value;
}

// What was answered with this status. The types know that a write may be a dry run; none of these is.
function good<T>(
  what: string,
  answer: { data?: T; error?: unknown; response: Response },
  status: number,
): Exclude<T, { dry_run: boolean }> {
  equal(`${what} (${JSON.stringify(answer.error)})`, answer.response.status, status);
  return answer.data as Exclude<T, { dry_run: boolean }>;
}

function endpoint(sandbox: Sandbox): components["schemas"]["EndpointStatus"] {
  return must("the endpoint", sandbox.status.endpoints["macvlan-net1"]);
}

// 1. A host starts with three networks.
const first = good("list", await client.GET("/api/v1/networks"), 200);
equal(
  "networks",
  first.items.map((network) => [network.name, network.driver, network.status.scope]),
  [["bridge", "bridge", "local"], ["host", "host", "local"], ["none", "none", "local"]],
);

// 2. A macvlan network.
const network = good(
  "create network",
  await client.POST("/api/v1/networks", {
    body: {
      name: "macvlan-net1",
      driver: "macvlan",
      pools: { v4: { subnet: "192.168.122.0/24", gateway: "192.168.122.1" } },
      macvlan: { parent, mode: "bridge" },
    },
  }),
  201,
);

// 3. Two sandboxes; the second by PUT, twice: the second time nothing changes.
good("create", await client.POST("/api/v1/sandboxes", { body: { name: "macvlan1", networks: { "macvlan-net1": {} } } }), 201);
const put = { params: { path: { id: "macvlan2" } }, body: { networks: { "macvlan-net1": {} } } };
const made = good("put", await client.PUT("/api/v1/sandboxes/{id}", put), 201);
const again = good("put again", await client.PUT("/api/v1/sandboxes/{id}", put), 200);
equal("revision", again.revision, made.revision);
for (const [name, address, mac] of [
  ["macvlan1", "192.168.122.2", "02:42:c0:a8:7a:02"],
  ["macvlan2", "192.168.122.3", "02:42:c0:a8:7a:03"],
] as const) {
  const sandbox = good("get", await client.GET("/api/v1/sandboxes/{id}", { params: { path: { id: name } } }), 200);
  const at = endpoint(sandbox);
  equal(
    name,
    [at.address, at.mac, at.prefix_length, at.gateway, at.network_id, at.interface],
    [address, mac, 24, "192.168.122.1", network.id, "eth0"],
  );
  // 4. What the kernel has.
  const eth0 = must("eth0", sandbox.status.interfaces?.find((found) => found.name === "eth0"));
  equal("eth0", [eth0.mac, eth0.mtu], [mac, 1500]);
  for (const flag of ["UP", "BROADCAST", "RUNNING", "MULTICAST"]) {
    equal(flag, eth0.flags.includes(flag), true);
  }
  const inet = must("inet", eth0.addresses.find((found) => found.address === address));
  equal("inet", [inet.broadcast, inet.mask], ["192.168.122.255", "255.255.255.0"]);
  equal("counters", [eth0.rx_bytes, eth0.tx_packets].every(Number.isSafeInteger), true);
}

// 5. Layer 2 works.
const probe = good(
  "probe",
  await client.POST("/api/v1/probes", { body: { from: "macvlan1", kind: "arp", to: "192.168.122.3", count: 3 } }),
  200,
);
equal("replies", probe.replies.map((reply) => reply.mac), Array(3).fill("02:42:c0:a8:7a:03"));
const leases = good("leases", await client.GET("/api/v1/leases", { params: { query: { address: "192.168.122.3" } } }), 200);
equal("owner", leases.items.map((lease) => lease.status.owner.name), ["macvlan2"]);

// A failure is a typed problem.
const missing = await client.GET("/api/v1/sandboxes/{id}", { params: { path: { id: "nobody" } } });
equal("problem", [missing.response.status, missing.error?.code], [404, "resource-not-found"]);

// 6. Stopping, listing, pruning.
const patched = await client.PATCH("/api/v1/sandboxes/{id}", {
  params: { path: { id: "macvlan2" } },
  body: { desired_state: "stopped" },
});
equal("stopped", good("stop", patched, 200).status.state, "stopped");
const states = good("list", await client.GET("/api/v1/sandboxes"), 200);
equal("states", states.items.map((item) => [item.name, item.status.state]), [["macvlan1", "running"], ["macvlan2", "stopped"]]);
const pruned = good("prune", await client.POST("/api/v1/prune"), 200);
equal("pruned", [pruned.sandboxes.map((o) => o.name), pruned.networks], [["macvlan2"], []]);
good("delete", await client.DELETE("/api/v1/sandboxes/{id}", { params: { path: { id: "macvlan1" } } }), 204);

// 7. The host's network shows the host's interfaces, none loopback only.
for (const [name, on, wanted] of [["shared", "host", true], ["lonely", "none", false]] as const) {
  const sandbox = good("create", await client.POST("/api/v1/sandboxes", { body: { name, networks: { [on]: {} } } }), 201);
  const interfaces = must("interfaces", sandbox.status.interfaces).map((found) => found.name);
  equal(name, [interfaces.includes("lo"), interfaces.includes(parent)], [true, wanted]);
  good("delete", await client.DELETE("/api/v1/sandboxes/{id}", { params: { path: { id: name } } }), 204);
}
const rest = good("prune", await client.POST("/api/v1/prune"), 200);
equal("the rest", rest.networks.map((o) => o.name), ["macvlan-net1"]);
console.log("exercise A: done");
