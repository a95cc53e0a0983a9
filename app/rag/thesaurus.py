"""How people ask, and the words that papers use for it: a small English thesaurus of contracts and household papers."""

import re

_ENTRIES = (
    # Contracts
    (
        r"run out|\blasts?\b|how long|expir|\bends?\b",
        "expire expiration expiry term terminate initial period continue until valid",
    ),
    (r"\blaws?\b|court|dispute", "governed governing construed accordance laws jurisdiction"),
    (
        r"somebody else|someone else|transfer|assign|passed? on|sublet",
        "assign assignment transfer transferable delegate prior written consent successors",
    ),
    (r"\bsue\b|contest|challenge", "contest challenge validity ownership covenant sue claim"),
    (
        r"without (?:giving )?(?:a |any )?(?:reason|cause)|get out of|cancel",
        "terminate termination convenience any reason without cause days prior written notice",
    ),
    (r"exclusive|deal with others|other partners", "exclusive exclusively sole solely exclusivity third party"),
    (r"licen[cs]e", "license licence grant grants hereby right non-exclusive royalty-free"),
    (r"what date|\bsigned\b|\bdated\b", "dated made entered into day"),
    (
        r"unlimited|not covered by",
        "limitation liability breach confidentiality indemnification gross negligence wilful misconduct",
    ),
    (r"insur", "insurance policy coverage general liability occurrence aggregate maintain"),
    (r"take effect|in force|\bstarts?\b|begins?\b|from what day", "effective date commence commencement as of"),
    (
        r"renew|extend|prolong",
        "renew renewal automatically successive additional periods extend notice prior expiration",
    ),
    (
        r"merge|taken over|take-?over|bought by|change of control",
        "change control merger acquisition sale substantially assets consolidation",
    ),
    (r"customers|clients", "solicit customers clients divert contact"),
    (r"\bhir(?:e|ing)\b|\bstaff\b|employees", "solicit hire employ employees personnel"),
    (r"\bcap\b|volume|at most|\babove\b|too much", "maximum exceed limit excess additional"),
    (r"revenue|profit", "share percent revenue net sales royalty profits commission"),
    (r"compet", "compete competing competitive competition business directly indirectly engage"),
    (r"inspect|audit|records|books", "audit inspect examine books records accountant"),
    (
        r"who owns|inventions|results|belong",
        "own ownership property title interest inventions work intellectual assign",
    ),
    (r"at (?:the )?least|minimum", "minimum purchase quantity least guaranteed annual"),
    (r"liab", "liability liable exceed aggregate limited consequential incidental damages event"),
    (r"defect|warrant|guarante", "warranty warrants guarantee defects period months years workmanship"),
    (r"pric(?:e|es)\b.*(?:rais|increas|change)|(?:rais|increas).*pric", "price prices increase change adjust"),
    (r"first refusal|offer .* first|first offer", "first refusal offer negotiate"),
    (
        r"has ended|after .* end|continue when|still be done",
        "survive survival expiration termination upon return cease wind",
    ),
    (r"penalty|early termination|fixed sum", "liquidated damages terminate early fee pay"),
    (r"best[- ]price|most favou?red", "favored favorable customer terms price lower"),
    (r"badly|criticis|disparag", "disparage disparaging defamatory derogatory statements"),
    (r"third party", "third party beneficiary beneficiaries benefit enforce"),
    # Insurance
    (r"ourselves|myself|deductible|excess", "excess deductible bears"),
    (r"breaks? down|broke down", "breakdown recovery call"),
    (r"\bring\b|\bcall\b|\b(?:tele)?phone\b", "telephone call line emergencies"),
    (r"replacement car|hire car", "courtesy car"),
    (r"insurance .*cost|cost .*insurance", "premium yearly"),
    (r"leak|pipe|flooded", "escape water burst"),
    (r"\bbikes?\b|stolen", "bicycle bicycles theft"),
    (r"unoccupied|leave the house|left empty", "empty unoccupied vacant"),
    (r"dentist|teeth", "dental"),
    (r"comes? back|money back|paid back|get back", "refund refunded repayment result"),
    (r"operation|hospital|surgery", "planned stay admission approved treatment"),
    (r"\bdies?\b|\bdied\b|death|passed away|deceased", "death dies lump sum payable"),
    # Home, money, people
    (r"\bflat\b|apartment|tenan|\brent", "tenancy tenant landlord rent lease"),
    (r"security|deposit", "deposit"),
    (r"mortgage|house loan|home loan", "loan mortgage fixed rate instalment repayment"),
    (r"pay off|extra", "early repayment charge"),
    (r"every month|monthly", "monthly instalment"),
    (r"overdraw", "overdraft limit"),
    (r"\bwalk\b|cross our", "right of way foot lane"),
    (r"pay for the house|house cost", "price paid"),
    (r"retir|pension", "pension retirement expected yearly fund value"),
    (r"\bpot\b", "fund value"),
    (r"years of pay", "salary lump sum"),
    (r"object|appeal", "objection objections appeal raised within"),
    (r"earn|wage|\bpay\b", "salary income"),
    (r"power did we use|electricity", "units used kwh electricity"),
    (r"meter show", "meter reading"),
    (r"\bbill\b", "amount due"),
    (r"look after|bring up", "guardian children"),
    (r"funeral|buried|music", "service cremated play"),
    (r"\bpets?\b", "dog cat animal"),
    (r"photos?|pictures", "photographs"),
    (r"heating", "boiler heating"),
    (r"stands? in|cannot act|instead of", "replacement substitute"),
    (r"inherit", "estate equal shares reaching age give"),
    (r"allowed to drive|driv", "licence valid driving"),
    (r"\bjab|vaccin", "vaccination vaccinations due"),
    (r"blood", "blood group"),
    (r"medicine|pills?|tablet", "medicine regular once a day"),
    (r"pick[- ]?up|collect", "collection list password"),
    (r"school", "pupil term fees admission"),
    (r"inspection|\bmot\b", "technical inspection due"),
    (r"lend|lent|loan", "lends loan sum repayment"),
)
_COMPILED = [(re.compile(pattern, re.IGNORECASE), words) for pattern, words in _ENTRIES]


def document_words(question: str) -> str:
    """Words that a paper with the answer may use, separated by blanks; empty when the thesaurus knows none."""
    return " ".join(words for pattern, words in _COMPILED if pattern.search(question))
