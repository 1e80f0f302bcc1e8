"""The story of an attach: find the guest, choose the link, plan, carry out."""

from __future__ import annotations

from pipework import addressing, guests, links, replacing
from pipework.carry_out import rehearsing, undoing
from pipework.kernel.namespaces import Namespace
from pipework.request import Attach


def attach(request: Attach) -> None:
    """Put the guest on the network, or leave everything as it was.  Raises PipeworkError."""
    guest = guests.find(request.guest)
    with Namespace.own() as host, guest.namespace, rehearsing() if request.dry_run else undoing() as log:
        with log.alone():
            if request.replace_wire and replacing.is_lent_as_asked(request, host, guest):
                return
            kind, wire = links.resolve(request, host, guest)
            old = replacing.plan(wire) if request.replace_wire else None
            if old is not None:
                if old.as_asked:
                    return
                log.carry_out(old.first)
                wire = wire.replace(vacated=bool(old.first))
            link = kind.plan(wire)
            address = addressing.choose(wire).plan(wire)
            log.carry_out(link.make)
            log.carry_out(address.assign)
        log.carry_out(address.settle)
        log.carry_out(link.finish)
        log.carry_out(old.last if old else ())
    if address.hold and not request.dry_run:
        address.hold()
