"""guest-sim: gives the servers, load balancers and floating IPs of the loopback OpenStack a body on this machine.

Every two seconds it asks the real Nova, Neutron and Octavia (as admin) what there is, and makes it so:
  ACTIVE server with user data   a guest: network + UTS namespace on a bridge for its network, private /etc/kubernetes, /var/lib/etcd, ...;
                                 guest.sh applies the cloud-init user data and runs its kubeadm for real (see guest.sh)
  load balancer listener         a TCP proxy on the VIP and on the VIP port's floating IP, round robin over the pool's members
  server or balancer gone        its guest, its proxy is removed
Limits: tenant networks must not overlap (they share this machine's routing table); TCP only; no security groups.

usage: guest-sim.py [--cleanup]    (runs with the OpenStack bed's venv; reads clouds.yaml of that bed)
"""
import asyncio
import base64
import collections
import functools
import gzip
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

BED = pathlib.Path(os.environ['CAPOBED'])
OSBED = pathlib.Path(os.environ['OSBED'])
GUESTS = BED / 'guests'
HERE = pathlib.Path(__file__).resolve().parent


def say(*a):
    print(time.strftime('%H:%M:%S'), *a, flush=True)


def ip(*args, check=True):
    return subprocess.run(['ip', *map(str, args)], check=check, capture_output=not check)


class Guest:
    """One server's stand-in. Lives in GUESTS/<server id>; survives a restart of guest-sim (pid file)."""

    def __init__(self, ident):
        self.id, self.dir, self.ns = ident, GUESTS / ident, 'g-' + ident[:8]

    def start(self, server, version, port, subnet):
        addr = port.fixed_ips[0]['ip_address']
        bridge = 'br' + port.network_id.replace('-', '')[:8]
        self.dir.mkdir(parents=True, exist_ok=True)
        data = base64.b64decode(server.user_data)
        (self.dir / 'user-data').write_bytes(gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data)
        (self.dir / 'meta.json').write_text(json.dumps({'id': server.id, 'name': server.name, 'ip': addr, 'bridge': bridge}))
        if ip('link', 'show', bridge, check=False).returncode:
            ip('link', 'add', bridge, 'type', 'bridge')
            ip('addr', 'add', f"{subnet.gateway_ip}/{subnet.cidr.split('/')[1]}", 'dev', bridge)
            ip('link', 'set', bridge, 'up')
        ip('netns', 'add', self.ns)
        ip('link', 'add', 'v' + self.id[:8], 'type', 'veth', 'peer', 'name', 'eth0', 'netns', self.ns)
        ip('link', 'set', 'v' + self.id[:8], 'master', bridge, 'up')
        for args in (('addr', 'add', f"{addr}/{subnet.cidr.split('/')[1]}", 'dev', 'eth0'), ('link', 'set', 'lo', 'up'),
                     ('link', 'set', 'eth0', 'up'), ('route', 'add', 'default', 'via', subnet.gateway_ip)):
            ip('-n', self.ns, *args)
        with open(self.dir / 'guest.log', 'ab') as log:
            p = subprocess.Popen(['ip', 'netns', 'exec', self.ns, 'unshare', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc',
                                  str(HERE / 'guest.sh'), str(self.dir), server.name, addr, version],
                                 stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        (self.dir / 'pid').write_text(str(p.pid))
        say(f'guest {server.name} {addr} started, pid {p.pid}')

    def stop(self):
        try:
            os.kill(int((self.dir / 'pid').read_text()), signal.SIGKILL)     # unshare --kill-child takes the whole PID namespace along
        except (OSError, ValueError):
            pass
        ip('netns', 'del', self.ns, check=False)
        ip('link', 'del', 'v' + self.id[:8], check=False)
        try:
            bridge = json.loads((self.dir / 'meta.json').read_text())['bridge']
            if not ip('link', 'show', 'master', bridge, check=False).stdout:
                ip('link', 'del', bridge, check=False)
        except (OSError, ValueError):
            pass
        time.sleep(0.2)
        keep = BED / 'old-guests'
        keep.mkdir(exist_ok=True)
        for f in ('guest.log', 'user-data'):
            if (self.dir / f).exists():
                shutil.copy(self.dir / f, keep / f'{self.id[:8]}-{f}')
        shutil.rmtree(self.dir, ignore_errors=True)
        say('guest', self.id, 'removed')


class Proxy:
    """A listener's data plane: accepts on the given addresses, hands each connection to the next member that answers."""

    def __init__(self, addresses, port):
        self.addresses, self.port, self.members, self.turn, self.open = addresses, port, [], itertools.count(), collections.defaultdict(set)

    async def start(self):
        for a in self.addresses:
            ip('addr', 'replace', a + '/32', 'dev', 'lo')
        self.server = await asyncio.start_server(self.serve, self.addresses, self.port)
        say('proxy', self.addresses, self.port)

    def update(self, members):
        """Connections to a member that left are cut: its guest may vanish without a word, and clients would wait for it."""
        if members != self.members:
            say('members', self.addresses, members)
        self.members = members
        for gone in [m for m in self.open if m not in members]:
            for w in self.open.pop(gone):
                w.transport.abort()

    async def stop(self):
        self.server.close()
        self.update([])
        for a in self.addresses:
            ip('addr', 'del', a + '/32', 'dev', 'lo', check=False)

    async def serve(self, r, w):
        for _ in self.members:
            member = self.members[next(self.turn) % len(self.members)]
            try:
                r2, w2 = await asyncio.wait_for(asyncio.open_connection(*member), 2)
                break
            except (OSError, asyncio.TimeoutError):
                continue
        else:
            return w.close()
        self.open[member] |= {w, w2}
        await asyncio.gather(self.copy(r, w2), self.copy(r2, w))
        self.open[member] -= {w, w2}

    @staticmethod
    async def copy(r, w):
        try:
            while data := await r.read(65536):
                w.write(data)
                await w.drain()
        except OSError:
            pass
        finally:
            w.close()


@functools.cache
def kube_version(image):
    """The version a node of this image reports: Glance's kube_version property, as Magnum's images have it."""
    return cloud.image.get_image(image).properties.get('kube_version', '')


def ask():
    """What the cloud has: {server id: (server, port, subnet)}, {(lb, listener): (addresses, port, members)}."""
    servers, listeners = {}, {}
    floating = [f for f in cloud.network.ips() if f.port_id]
    fips = {f.port_id: f.floating_ip_address for f in floating}
    for s in cloud.compute.servers(all_projects=True):
        if s.status == 'ACTIVE' and s.user_data:
            if s.id in guests:
                servers[s.id] = None
                continue
            for p in cloud.network.ports(device_id=s.id):
                servers[s.id] = (s, kube_version(s.image.id), p, cloud.network.get_subnet(p.fixed_ips[0]['subnet_id']))
                break
    pools = {}
    for p in cloud.load_balancer.pools():
        pools[p.id] = [(m.address, m.protocol_port) for m in cloud.load_balancer.members(p.id) if m.is_admin_state_up]
    lbs = {lb.id: lb for lb in cloud.load_balancer.load_balancers()}
    for li in cloud.load_balancer.listeners():
        for ref in li.load_balancers:
            lb = lbs.get(ref['id'])
            if lb:
                where = [a for a in (lb.vip_address, fips.get(lb.vip_port_id)) if a]
                listeners[lb.id, li.id, tuple(where)] = (where, li.protocol_port, pools.get(li.default_pool_id, []))
    # Without a load balancer a floating IP leads to the API server of one machine.
    vips = {lb.vip_port_id for lb in lbs.values()}
    for f in floating:
        if f.port_id not in vips:
            listeners[f.id, f.port_id] = ([f.floating_ip_address], 6443, [(f.fixed_ip_address, 6443)])
    return servers, listeners


async def main():
    proxies = {}
    while True:
        try:
            servers, listeners = await asyncio.to_thread(ask)
            for key in [k for k in proxies if k not in listeners]:
                await proxies.pop(key).stop()
            for key, (where, port, members) in listeners.items():
                if key not in proxies:
                    proxies[key] = Proxy(where, port)
                    await proxies[key].start()
                proxies[key].update(members)
            for ident in [i for i in guests if i not in servers]:
                guests.pop(ident).stop()
            for ident, what in servers.items():
                if what:
                    guests[ident] = Guest(ident)
                    guests[ident].start(*what)
        except Exception as e:  # a prototype: say it and go on
            say('ERROR', type(e).__name__, e)
        await asyncio.sleep(2)


GUESTS.mkdir(parents=True, exist_ok=True)
guests = {d.name: Guest(d.name) for d in GUESTS.iterdir()}
if '--cleanup' in sys.argv:
    for g in guests.values():
        g.stop()
else:
    import openstack
    os.environ['OS_CLIENT_CONFIG_FILE'] = str(OSBED / 'clouds.yaml')
    cloud = openstack.connect(cloud='admin')
    asyncio.run(main())
