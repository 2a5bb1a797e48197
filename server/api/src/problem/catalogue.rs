//! Every kind of problem, with its help: `/problems/{code}` renders this, and the OpenAPI document lists the codes.

use actix_web::http::StatusCode;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Stable kebab-case word.
    pub(crate) code: &'static str,
    /// HTTP status.
    pub(crate) status: u16,
    /// In a few words.
    pub(crate) title: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
    /// What to do.
    pub(crate) remedy: &'static str,
}

impl Entry {
    /// Its status, typed.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The entry of a code.
pub(crate) fn find(code: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.code == code)
}

macro_rules! entries {
    ($($status:literal $code:literal, $title:literal: $meaning:literal; $remedy:literal.)*) => {
        /// All kinds of problem, by status.
        pub(crate) const ENTRIES: &[Entry] = &[
            $(Entry { code: $code, status: $status, title: $title, meaning: $meaning, remedy: $remedy }),*
        ];
    };
}

entries! {
    400 "malformed-request", "Request not understood": "The HTTP request itself can't be read."; "Check the path, the headers and the transfer encoding.".
    400 "malformed-json", "Not JSON": "The body is not a JSON document. `facts.line` and `facts.column` say where reading stopped."; "Correct the JSON at that place and send it again.".
    400 "invalid-query", "Query parameter not valid": "A query parameter is unknown here, is given twice, or has a value that it can't take. Nothing is ignored, so that a mistyped filter never shows everything."; "See `errors`: `pointer` names the parameter, `hint` the known ones.".
    400 "invalid-page-token", "Page token not valid": "The token was not given out by this service, or belongs to a list with other filters."; "Start again without the token, and keep the filters while paging.".
    400 "invalid-precondition", "Precondition not understood": "`If-Match` or `If-None-Match` is no list of strong tags of this service, or stands where it can't be taken. Nothing is ignored, so that nobody writes over what they meant to guard."; "Send the `ETag` of an answer unchanged, in its quotes; `errors` names the header. What each operation takes is in the OpenAPI document.".
    400 "invalid-idempotency-key", "Idempotency key not understood": "`Idempotency-Key` is not 1 to 255 visible ASCII characters, bare or in double quotes; or stands on a POST that can't honour it. It is not passed over, so that nobody sends twice and believes it was once."; "Send one key, such as a random UUID, for each thing that is to be made. What takes it is in the OpenAPI document.".
    401 "unauthenticated", "Who are you?": "The request carries no valid token or session. `detail` says whether what was sent is a token at all."; "Send `Authorization: Bearer TOKEN` (the first start wrote one to `admin.token` in the data directory), log in to the dashboard, or use the local socket as root.".
    403 "forbidden", "Not allowed": "The role of whoever asks does not include this."; "Ask with a token of the role that `detail` names.".
    403 "cross-site-request", "Came from another site": "A browser sent a changing request on behalf of another site, or without saying on whose behalf."; "Use the dashboard at its own address, or a bearer token from a program. Behind a proxy, pass the `Host` header on unchanged.".
    404 "resource-not-found", "No such object": "The address is right, but there is no object of that ID or name."; "List the collection to see what there is.".
    404 "no-swarm", "In no swarm": "This host is in no swarm, so that there is nothing of one here."; "Make one with `PUT /api/v1/swarm` (`netloom swarm init`), or join one with `PUT /api/v1/swarm/membership` (`netloom swarm join`).".
    404 "route-not-found", "No such address": "Nothing is served under this path."; "See `/docs` or `/openapi.json` for all paths. Paths have no trailing slash.".
    405 "method-not-allowed", "Method not allowed here": "The path exists, but not with this method."; "Use one of the methods in the `Allow` header.".
    408 "body-timeout", "Body too slow": "The head of the request announced a body that did not come to its end in time."; "Send the body at once with its head, and as long as `Content-Length` says.".
    409 "name-taken", "Name in use": "Another object of this kind has the name; names are unique."; "Choose another name, or change or remove the object that `blockers` lists.".
    409 "swarm-needed", "Needs a swarm": "The network would be the swarm's, and this host is in none."; "Make a swarm with `PUT /api/v1/swarm` (`netloom swarm init`), or join one, or choose driver `bridge`.".
    409 "vni-taken", "Number in use": "Another network has the VXLAN network identifier."; "Choose another number, or leave `overlay.vni` out to get a free one.".
    409 "not-overlay", "Not an overlay network": "Nodes reach each other by networks of driver overlay only; this network is on one node."; "Ask for the health of an overlay network: `GET /api/v1/networks?driver=overlay` lists them.".
    409 "not-attachable", "For tasks only": "The overlay network is for tasks of services, not for sandboxes."; "Set its `attachable` to true, or use another network.".
    409 "manager-refused", "The manager refused": "The manager of the swarm gave no place on its network, for a reason that this version does not know by its code."; "`detail` has the manager's words; bring both hosts to the same version.".
    409 "subnet-overlap", "Subnets overlap": "The subnet shares addresses with another pool, with a route of the host, or with a nameserver that the host would be cut off from."; "Take the free subnet that `hint` or `facts` names, or leave `subnet` out to get one chosen.".
    409 "address-taken", "Address in use": "The wanted address has a holder."; "`GET /api/v1/addresses/{ip}` says who. Leave the address out to get the next free one.".
    409 "mac-taken", "Ethernet address in use": "Another endpoint on the network has the Ethernet address."; "Leave `mac` out to get a unique one.".
    409 "interface-taken", "Interface name in use": "Another endpoint of the sandbox has the interface name; or, of a bridge network, another network's bridge or parent has it."; "Choose another name, or leave `interface` (of a bridge network `interface_name`) out.".
    409 "namespace-taken", "Namespace in use": "Another sandbox has adopted the network namespace."; "Use that sandbox, or remove it first: its namespace is left as it is.".
    409 "already-exists", "Already there": "A value that must be unique is in use."; "Read the objects there are, then choose another value.".
    409 "last-admin-token", "Last token of role admin": "Without this token nobody could manage access over the network."; "Make another token of role admin first, or revoke this one as root on the host: `netloom token revoke`.".
    409 "changed-meanwhile", "Changed meanwhile": "The object changed while the request was carried out, and nothing was stored."; "Read it again, then repeat the request.".
    409 "pool-exhausted", "Pool is full": "No address is left. `facts` counts who uses what."; "Prune stopped sandboxes, release reservations, widen the range, or add a pool to the network.".
    409 "bridge-full", "Bridge is full": "A bridge has 1,023 ports in the kernel, and each of them has an endpoint, running or stopped."; "Make a second bridge network for further sandboxes, or remove sandboxes that are no longer needed.".
    409 "port-taken", "Port in use": "A port of the host is published by another sandbox, or a program of the host listens on it, which may be the port that nodes of a swarm are to be listened for at; or no free one is left. The detail says which."; "Choose another port or host address, or leave `published` out to get a free one.".
    409 "in-use", "In use": "Other objects need this one. `blockers` lists them."; "Detach or remove those first; for a network, `?cascade=endpoints` detaches its endpoints.".
    409 "predefined", "Predefined": "The object has existed from the start and can't be changed or removed."; "Make one of your own.".
    409 "deletion-protection", "Protected from removal": "`deletion_protection` is true."; "Set it to false by PATCH first.".
    409 "deleting", "Being removed": "The object is on its way out and can't be changed."; "Wait until it is gone.".
    409 "no-resolver", "No resolver there": "No resolver of Netloom's answers in the sandbox: it does not run, is on no network with addresses, or its namespace is somebody else's."; "Start it, attach it to a network, or use what resolvers its owner has.".
    409 "sandbox-stopped", "Sandbox is stopped": "Nothing can be sent from a sandbox that does not run."; "Start it by PATCH with `desired_state: running`.".
    409 "lease-in-use", "Lease has a holder": "The lease belongs to a sandbox, a gateway or the host, and is not released by hand."; "Detach or remove its holder instead.".
    409 "busy", "Busy": "Another write to the same object is under way, and `wait` ran out in the queue."; "Send the same request again, perhaps with a longer `wait`.".
    409 "kernel-refused", "The kernel refused": "The kernel did not take an operation. `refusal` names the object, the operation and the errno; what had been made was undone unless `on_failure=keep`."; "See `hint`; `netloom doctor` checks the host.".
    409 "feature-missing", "Kernel feature missing": "The kernel lacks what this needs."; "`netloom doctor` names the module or option.".
    409 "parent-missing", "Parent missing": "The host has no link of the parent's name."; "`GET /api/v1/host/interfaces` lists the links there are.".
    409 "parent-down", "Parent is down": "The parent link is not up."; "`ip link set PARENT up`, then try again.".
    409 "name-conflict", "Foreign object in the way": "The kernel holds an object of the wanted name that is not Netloom's; it is left alone."; "Rename or remove it by hand.".
    409 "namespace-gone", "Namespace gone": "The network namespace is not there any more."; "Remove the sandbox, or make it anew on a namespace that exists.".
    409 "address-conflict", "Address answered by a stranger": "Something that Netloom does not know answers for the address on the wire."; "Choose another address, or find the holder by the MAC in `detail`.".
    409 "idempotency-in-flight", "Still being made": "An earlier request with the same `Idempotency-Key` is still being carried out."; "Send it again in a moment, or with a longer `wait`: it then answers what the first one made.".
    409 "idempotency-object-gone", "Made, and removed since": "What was made under this `Idempotency-Key` was removed since, so that it can't be answered, and is not made a second time by a request that may be late."; "To make it anew, send the request under another key.".
    409 "plan-stale", "Plan is stale": "Something that the plan was made from has changed, or would come out otherwise now: `blockers` lists the objects, `facts` what was planned and what would be done now. Nothing was changed."; "Make the plan anew with `dry_run=true`, look at it, and apply that.".
    409 "plan-applied", "Plan was applied": "A plan is applied once, and this one was. `detail` says when and by whom, `Location` to what."; "Look at what came of it; to do the like again, make the plan anew with `dry_run=true`.".
    409 "not-manager", "Not the manager": "This host is a worker of its swarm, and what was asked for is the manager's to do. `facts.manager` is where the manager listens for nodes."; "Send the request to the API of that host.".
    409 "already-member", "In a swarm already": "The host is in a swarm, and can be in one only; or the manager has a node of this ID."; "Let the host leave its swarm first (`netloom swarm leave`). Where it left without its manager being told, remove the node at the manager.".
    409 "swarm-ends", "The swarm would end": "The host is the only manager of its swarm, which ends when it leaves. `blockers` lists the other nodes."; "`force=true` ends it: its nodes, join tokens and authority are gone for good.".
    409 "manager-unreachable", "Manager not reached": "The manager of the swarm could not be asked, or did not answer in time."; "See that this host reaches the manager at its address, TCP port 2377 unless it says another. To leave without telling it, `force=true`.".
    409 "manager-impostor", "Not the manager of the swarm": "What answers at the manager's address has another authority than the join token or the membership names. Nothing secret was said to it."; "Check the address and the join token; both are in the command that the manager showed.".
    409 "manager-unavailable", "Manager can't do it now": "The manager was reached and could not carry the request out; `detail` is its answer."; "Ask again; the manager's log has the cause.".
    409 "join-token-invalid", "Join token opens nothing": "The join token is unknown, revoked, expired or used up, or has another secret by now."; "Ask an administrator of the swarm for a join token: `netloom swarm token` at the manager makes or rotates one.".
    409 "role-mismatch", "Another role": "The join token gives another role than the one asked for; a swarm whose store is SQLite has one manager."; "Join as worker, or by a join token of the role.".
    409 "version-mismatch", "Versions differ": "The host and the manager run Netloom of different releases; `detail` names both versions."; "Bring both to the same version, then join.".
    409 "node-address-taken", "Address of another node": "Another node of the swarm is at the address, and traffic for the two could not be told apart. `blockers` names it."; "Remove that node at the manager where it is gone for good (`netloom node rm`), or join by an address that is this host's alone (`address`, `--advertise-addr`).".
    409 "node-removed", "No node of the swarm": "The manager has no node of this ID: it was removed."; "Let the host leave (`force=true`), and join again.".
    409 "readmission-pending", "To be let back in": "The node's certificate is out of date, and nobody has let it back in yet."; "An administrator does at the manager: `POST /api/v1/nodes/{id}/readmit`.".
    409 "request-invalid", "Not understood between nodes": "The manager could not use what the node sent, or the node the answer."; "`detail` says what; see that both run the same version.".
    409 "certificate-expired", "Certificate out of date": "This node's certificate is out of date, so that its manager does not hear it."; "An administrator lets it back in at the manager: `POST /api/v1/nodes/{id}/readmit`. To leave without telling it, `force=true`.".
    409 "certificate-good", "Certificate is good": "The node's certificate is not out of date, so that there is nothing to let back in."; "Nothing is to be done: certificates are renewed by themselves.".
    409 "node-ready", "Node is ready": "The node reports, and would be cut off by its removal."; "Let it leave by itself (`netloom swarm leave` on it), or remove it all the same with `force=true`.".
    409 "node-unknown", "Not known yet whether the node is there": "The manager has just started and has not heard of the node, which is said to be off."; "Ask again in 15 s: a node that is on has reported by then.".
    409 "node-is-manager", "Node is the manager": "The node manages the swarm, and can't be removed from it."; "The swarm ends when it leaves: `DELETE /api/v1/swarm/membership?force=true`.".
    409 "ambiguous-name", "Several of that name": "Several nodes have hosts of this name; `blockers` lists them."; "Name the node by its ID.".
    410 "cursor-expired", "Events no longer kept": "The cursor points before the oldest event kept, so that some would be missed."; "List the objects again, then follow events from the `seq` of that answer.".
    412 "precondition-failed", "Precondition not met": "`If-Match` names a tag of the object from before the last change to its spec, or there is no such object; or `If-None-Match: *` stands with a name that there is. Nothing was changed. What the system notes of an object by itself (its state, an orphan, a repair) never leads here."; "Read the object again, put your change into what it is now, and send it with the tag of that answer; `facts.etag` has the present one.".
    413 "payload-too-large", "Body too large": "The body is larger than 1 MiB."; "Split the request.".
    415 "unsupported-media-type", "Media type not taken": "The body is not declared as JSON."; "Send `Content-Type: application/json`; a PATCH also takes `application/merge-patch+json`.".
    421 "host-not-allowed", "Not this server's name": "The `Host` header names something that the service was not told to answer to. This keeps web pages from reaching it under a name of their own (DNS rebinding)."; "Use an address it listens on, or start it with `--allowed-host NAME`.".
    422 "invalid-value", "Value not valid": "A value breaks a rule. `errors` names every field, with the rule and what would work."; "Correct the fields and send the request again.".
    422 "immutable-field", "Field can't change": "The field is settled when the object is made."; "Remove the object and make it anew, or leave the field as it is.".
    422 "idempotency-key-reused", "Key used for another request": "The `Idempotency-Key` was used by the same principal, for the same method and path, with another body. `facts.object_id` is what that made."; "Use a key of its own for each body; keep a key only to send the same request again.".
    429 "too-many-logins", "Too many logins": "So many sessions of the dashboard were opened with one token that one more has to wait. `Retry-After` says how long, in seconds."; "Use a session that is open. A program needs none: it sends `Authorization: Bearer TOKEN` with each request.".
    429 "too-many-streams", "Too many event streams": "So many event streams are open with one token that there is no room for one more: each holds a connection, of which there is a number for all."; "Close one, or follow one stream and hand its events on. `Retry-After` says when to ask again, in seconds.".
    429 "too-many", "Too much under way": "So many requests of this host, or of its address, are under way at the swarm's manager, or were denied there, that one more has to wait. `Retry-After` and `facts.retry_after_seconds` say how long."; "Ask again after that time; `netloom swarm join` does so by itself. What a worker hands on waits for less with a shorter `wait`.".
    500 "internal", "Internal failure": "A defect in the service. The log has the cause under the request's ID."; "Report it with the request's ID.".
    503 "swarm-behind", "Not told yet": "What the manager says of its network has not come to this host yet."; "Ask again in a moment.".
    503 "not-ready", "Not ready": "The service has started but can't answer well yet, or no longer."; "Wait; `detail` says for what.".
    503 "store-full", "Disk is full": "The disk of the database is full, so nothing was stored. The networks that exist go on working."; "Make room; no restart is needed.".
    503 "store-read-only", "Database is read-only": "The database can't be written, so nothing was stored. The networks that exist go on working."; "Make the data directory writable again; no restart is needed.".
    503 "store-not-kept", "Disk does not keep what is written": "The disk of the database failed to keep what was written to it. Nothing more is written until Netloom is started again; the networks that exist go on working, and reading goes on."; "Put the disk of the data directory right and start Netloom again, then look at the object: whether the last of it was stored is not known.".
    503 "store-busy", "Database is held": "Another process holds the database, or its disk stands still."; "End that process, or try again.".
    503 "permission-missing", "Permission missing": "The service lacks a privilege that the kernel wants for this."; "Run it as root or with CAP_NET_ADMIN and CAP_SYS_ADMIN; `netloom doctor` checks.".
    503 "node-timeout", "Node did not answer in time": "The kernel side took too long."; "Try again; the log says what it waited for.".
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            assert!(entry.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", entry.code);
            assert!(ENTRIES[..index].iter().all(|other| other.code != entry.code), "{} stands twice", entry.code);
            assert!(entry.status().is_client_error() || entry.status().is_server_error());
        }
    }
}
