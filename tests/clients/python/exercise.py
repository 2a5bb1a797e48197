"""Exercise A with the client that openapi-python-client makes of the document: a macvlan network, two sandboxes, two MACs,
ARP replies, leases, stopping and pruning. Ends with an error at the first answer that is not as it should be.

    TOKEN=... PYTHONPATH=<where netloom_client is> python exercise.py http://127.0.0.1:8080 parent0
"""

import os
import sys
from http import HTTPStatus

from netloom_client import AuthenticatedClient
from netloom_client.api.leases import lease_list
from netloom_client.api.networks import network_create, network_list
from netloom_client.api.sandboxes import (
    probe_create,
    sandbox_create,
    sandbox_delete,
    sandbox_get,
    sandbox_list,
    sandbox_patch,
    sandbox_put,
)
from netloom_client.api.service import prune_create
from netloom_client.models.attachment_write import AttachmentWrite
from netloom_client.models.desired_state import DesiredState
from netloom_client.models.driver import Driver
from netloom_client.models.macvlan_mode import MacvlanMode
from netloom_client.models.macvlan_write import MacvlanWrite
from netloom_client.models.network import Network
from netloom_client.models.network_write import NetworkWrite
from netloom_client.models.network_write_pools import NetworkWritePools
from netloom_client.models.pool_write import PoolWrite
from netloom_client.models.probe_kind import ProbeKind
from netloom_client.models.probe_write import ProbeWrite
from netloom_client.models.problem import Problem
from netloom_client.models.sandbox_patch import SandboxPatch
from netloom_client.models.sandbox_put import SandboxPut
from netloom_client.models.sandbox_put_networks import SandboxPutNetworks
from netloom_client.models.sandbox_write import SandboxWrite
from netloom_client.models.sandbox_write_networks import SandboxWriteNetworks


def equal(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} instead of {wanted!r}")


def good(answer, status):
    equal(answer.content.decode(errors="replace"), answer.status_code, HTTPStatus(status))
    return answer.parsed


def on(kind, network):
    """A map of networks with one, in the type that the call takes."""
    networks = kind()
    networks.additional_properties[network] = AttachmentWrite()
    return networks


def main(base_url, parent):
    client = AuthenticatedClient(base_url=base_url, token=os.environ["TOKEN"])

    # 1. A host starts with three networks.
    first = good(network_list.sync_detailed(client=client), 200)
    equal(
        "networks",
        [(item.name, item.driver.value, item.status.scope.value) for item in first.items],
        [("bridge", "bridge", "local"), ("host", "host", "local"), ("none", "none", "local")],
    )

    # 2. A macvlan network.
    pools = NetworkWritePools()
    pools.additional_properties["v4"] = PoolWrite(subnet="192.168.122.0/24", gateway="192.168.122.1")
    written = NetworkWrite(
        name="macvlan-net1",
        driver=Driver.MACVLAN,
        pools=pools,
        macvlan=MacvlanWrite(parent=parent, mode=MacvlanMode.BRIDGE),
    )
    network = good(network_create.sync_detailed(client=client, body=written), 201)
    assert isinstance(network, Network)
    for field, value in written.to_dict().items():
        equal(f"{field} as written", network.to_dict()[field], value)

    # 3. Two sandboxes; the second by PUT, twice: the second time nothing changes.
    body = SandboxWrite(name="macvlan1", networks=on(SandboxWriteNetworks, "macvlan-net1"))
    good(sandbox_create.sync_detailed(client=client, body=body), 201)
    body = SandboxPut(networks=on(SandboxPutNetworks, "macvlan-net1"))
    made = good(sandbox_put.sync_detailed("macvlan2", client=client, body=body), 201)
    again = good(sandbox_put.sync_detailed("macvlan2", client=client, body=body), 200)
    equal("revision", again.revision, made.revision)
    for name, address, mac in [
        ("macvlan1", "192.168.122.2", "02:42:c0:a8:7a:02"),
        ("macvlan2", "192.168.122.3", "02:42:c0:a8:7a:03"),
    ]:
        sandbox = good(sandbox_get.sync_detailed(name, client=client), 200)
        at = sandbox.status.endpoints["macvlan-net1"]
        equal(
            name,
            (at.address, at.mac, at.prefix_length, at.gateway, at.network_id, at.interface),
            (address, mac, 24, "192.168.122.1", network.id, "eth0"),
        )
        # 4. What the kernel has.
        [eth0] = [found for found in sandbox.status.interfaces if found.name == "eth0"]
        equal("eth0", (eth0.mac, eth0.mtu), (mac, 1500))
        equal("flags", {"UP", "BROADCAST", "RUNNING", "MULTICAST"} - set(eth0.flags), set())
        [inet] = [found for found in eth0.addresses if found.address == address]
        equal("inet", (inet.broadcast, inet.mask), ("192.168.122.255", "255.255.255.0"))
        equal("counters", {type(eth0.rx_bytes), type(eth0.tx_packets)}, {int})

    # 5. Layer 2 works.
    body = ProbeWrite(from_="macvlan1", kind=ProbeKind.ARP, to="192.168.122.3", count=3)
    probe = good(probe_create.sync_detailed(client=client, body=body), 200)
    equal("replies", [reply.mac for reply in probe.replies], ["02:42:c0:a8:7a:03"] * 3)
    leases = good(lease_list.sync_detailed(client=client, address="192.168.122.3"), 200)
    equal("owner", [lease.status.owner.name for lease in leases.items], ["macvlan2"])

    # A failure is a typed problem.
    missing = good(sandbox_get.sync_detailed("nobody", client=client), 404)
    assert isinstance(missing, Problem)
    equal("problem", missing.code.value, "resource-not-found")

    # 6. Stopping, listing, pruning.
    body = SandboxPatch(desired_state=DesiredState.STOPPED)
    stopped = good(sandbox_patch.sync_detailed("macvlan2", client=client, body=body), 200)
    equal("stopped", stopped.status.state.value, "stopped")
    states = good(sandbox_list.sync_detailed(client=client), 200)
    equal(
        "states",
        [(item.name, item.status.state.value) for item in states.items],
        [("macvlan1", "running"), ("macvlan2", "stopped")],
    )
    pruned = good(prune_create.sync_detailed(client=client), 200)
    equal("pruned", ([item.name for item in pruned.sandboxes], pruned.networks), (["macvlan2"], []))
    good(sandbox_delete.sync_detailed("macvlan1", client=client), 204)

    # 7. The host's network shows the host's interfaces, none loopback only.
    for name, network, shared in [("shared", "host", True), ("lonely", "none", False)]:
        body = SandboxWrite(name=name, networks=on(SandboxWriteNetworks, network))
        sandbox = good(sandbox_create.sync_detailed(client=client, body=body), 201)
        interfaces = {found.name for found in sandbox.status.interfaces}
        equal(name, ("lo" in interfaces, parent in interfaces), (True, shared))
        good(sandbox_delete.sync_detailed(name, client=client), 204)
    rest = good(prune_create.sync_detailed(client=client), 200)
    equal("the rest", [item.name for item in rest.networks], ["macvlan-net1"])
    print("exercise A: done")


main(*sys.argv[1:])
