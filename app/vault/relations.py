"""How two things can be related, as data: each relation has a name from either end."""

from typing import Final, NamedTuple


class Relation(NamedTuple):
    """`name` is read from source to target, `inverse` back; they are equal for what is the same from both ends."""

    name: str
    inverse: str
    label: str
    inverse_label: str

    @property
    def symmetric(self) -> bool:
        """Whether it is the same from both ends."""
        return self.name == self.inverse


def _both_ways(name: str, label: str) -> Relation:
    return Relation(name, name, label, label)


RELATIONS: Final = (
    _both_ways("related", "related to"),
    Relation("belongs_to", "owns", "belongs to", "owns"),
    Relation("part_of", "consists_of", "is part of", "consists of"),
    Relation("replaces", "replaced_by", "replaces", "was replaced by"),
    Relation("proves", "proven_by", "proves", "is proven by"),
    Relation("insures", "insured_by", "insures", "is insured by"),
    Relation("pays_for", "paid_by", "pays for", "is paid by"),
    Relation("secures", "secured_by", "secures", "is secured by"),
    Relation("opens", "opened_by", "opens", "is opened by"),
    Relation("issued_by", "issuer_of", "was issued by", "issued"),
    Relation("beneficiary_of", "benefits", "benefits from", "benefits"),
    Relation("executor_of", "executed_by", "executes", "is executed by"),
    Relation("trustee_of", "held_in_trust_by", "is trustee of", "is held in trust by"),
    Relation("attorney_of", "represented_by", "may act for", "is represented by"),
    Relation("heir_of", "leaves_to", "inherits from", "leaves to"),
    _both_ways("spouse", "is married to"),
    _both_ways("partner", "is the partner of"),
    _both_ways("former_spouse", "was married to"),
    Relation("parent_of", "child_of", "is a parent of", "is a child of"),
    Relation("grandparent_of", "grandchild_of", "is a grandparent of", "is a grandchild of"),
    _both_ways("sibling", "is a sibling of"),
    Relation("guardian_of", "ward_of", "is the guardian of", "is in the care of"),
    Relation("godparent_of", "godchild_of", "is a godparent of", "is a godchild of"),
    _both_ways("friend", "is a friend of"),
    _both_ways("neighbour", "is a neighbour of"),
    Relation(
        "emergency_contact_of", "in_emergency_call", "is called in an emergency of", "in an emergency wants called"
    ),
    Relation("doctor_of", "patient_of", "is the doctor of", "is a patient of"),
    Relation("adviser_of", "advised_by", "advises", "is advised by"),
    Relation("employs", "employed_by", "employs", "is employed by"),
    Relation("keeper_of", "kept_by", "looks after", "is looked after by"),
)

BY_NAME: Final = {each.name: each for each in RELATIONS} | {
    each.inverse: Relation(each.inverse, each.name, each.inverse_label, each.label)
    for each in RELATIONS
    if not each.symmetric
}
"""Every relation by its name from either end."""
STORED: Final = frozenset(each.name for each in RELATIONS)
"""The names that are stored; of the two names of a relation it is always the same."""
