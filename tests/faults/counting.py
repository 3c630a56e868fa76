"""What must hold after any fault: everything ended well, and no step's effect was there twice."""

from collections import Counter
from collections.abc import Sequence

from tests.faults.drill_names import EFFECTS, effect_name
from tests.faults.ledger import Ledger
from tests.faults.system import System


def all_is_well(drills: System, ledger: Ledger, ids: Sequence[str], *, seconds: float = 60) -> int:
    """Waits for the operations' ends. How many effects were repeated, with the same result, where a worker ended."""
    rows = drills.ended(ids, seconds=seconds)
    assert Counter(row["state"] for row in rows) == {"Succeeded": len(ids)}, [row["message"] for row in rows]
    assert [row["id"] for row in rows if row["lease_expires_at"] or row["waiting_host_id"]] == []
    assert drills.ask("SELECT 1 FROM clusters_hostslot WHERE operation_id = ANY(%s::uuid[])", list(ids)) == []
    phases = drills.ask(
        "SELECT phase FROM clusters_virtualcluster WHERE id = ANY(%s::uuid[])",
        [row["virtual_cluster_id"] for row in rows],
    )
    assert {row["phase"] for row in phases} == {"Ready"}
    return _repeated(ledger, ids)


def _repeated(ledger: Ledger, ids: Sequence[str]) -> int:
    """Each step looks before it makes: an effect is repeated only where a worker ended before it could tell."""
    effects = ledger.effects("drill-")
    made = Counter(effect.name for effect in effects if effect.new)
    done = Counter(effect.name for effect in effects)
    wanted = [effect_name(operation, key) for operation in ids for key in EFFECTS]
    assert [name for name in wanted if made[name] != 1] == []
    return sum(done[name] - 1 for name in wanted)
