"""A stand-in for vcluster on a local host.

No container runs there, so vcluster's image cannot. For each pod of its StatefulSet the supervisor runs a real API
server and controller-manager instead, writes what vcluster writes, and copies pods to the host as its syncer does. What
it keeps of upstream, and what it does not, is listed in tests/localkube/test_vcluster_contract.py.

There is no kwok inside a virtual cluster. Its pods get their status from their copies on the host, as upstream, and its
controller-manager runs without the controllers for nodes and volumes, as upstream: more like the original, and a
process less for each virtual cluster.
"""
