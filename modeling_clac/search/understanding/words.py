"""Words of queries that are not chemistry: function words, and signs that a text is not in English."""

from __future__ import annotations

import re

# Words that say nothing of a crystal: they are neither read nor listed as unread.
FUNCTION_WORDS = frozenset(
    """
    a an the of for with and or in on to is are be been being that which as at by from any some all me find show give
    list get search searching want need looking look please i we you they it its has have having had contain contains
    contained containing made make makes making material materials compound compounds crystal crystals solid solids
    phase phases substance substances structure structures structured structural type types kind kinds sort sorts like
    good best better candidate candidates used use uses using usage useful suitable can could would should will shall
    might may must very such than more most least less two one based rich bearing system systems only where whose what
    about into but how this these those there do does did their also both either between within over under above below
    around crystalline inorganic property properties value values possible known common named called other others
    alone occur occurs
    nothing else just group class form forms high low unit cell per atom atoms lattice my our your am if then so too
    let lets help recommend suggest tell us is are was were between ones thing things something anything everything
    whatever let work works working really quite rather fairly pretty mostly mainly exclusively purely solely strictly
    together combined combination along plus show displays display exhibit exhibits exhibiting possess possesses
    possessing feature features featuring include includes including included present lots lot bit few several many
    much number numbers range ranges ranging order equal exactly approximately roughly nearly about near close circa
    least most maximum minimum upto through via because yet since while when during per each every same different
    various hi hello hey pls im thanks thank dear could can't don't doesn't isn't aren't cant dont
    doesnt isnt arent hasnt havent shouldnt mustnt wont thats whats theres not no nor non none neither
    without never
    free lacking lack lacks excluding exclude except excepting devoid absence absent avoid avoiding instead minus sans
    ideally preferably preferred prefer maybe perhaps possibly hopefully wish nice interested interesting example
    examples e.g i.e eg ie etc database entries entry record records hit hits result results space point symmetry
    similar replacement replacements alternative alternatives substitute substitutes analog analogs analogue analogues
    isostructural isotypic resembling particular especially say
    symmetric consisting consist consists composed comprise comprises comprising built build element elements chemical
    composition formula formulas stoichiometry family families member members variety version versions sample samples
    specimen well them got gotten somewhere somehow ok okay id ive plz smth sth stuff gimme basically absolutely
    honestly
    otherwise zero fine allowed optional forbidden excluded banned prohibited unwanted hate skip leave ban matter care
    necessarily love bonus extra perfect ideal great cool wanted needed required regardless polymorphs ballpark region
    although though however anyway kinda sorta somewhat whilst now who heard told tried last year yes failing
    stay stays remain remains mean means latter former beneath exist exists sit sits hold holds carry carries wherein
    itself themselves vs versus first kindly cannot single still
    avoided omitted preferable favored acceptable thereabouts optionally unless
    """.split()
)

# Words of other languages that are not English words, by language.
_FOREIGN = {
    "German": "ohne und mit für nicht eine einen einer eines ein ist sind der das dem des welche welches kristall "
    "kristalle werkstoff werkstoffe stoff stoffe verbindung verbindungen bandlücke halbleiter harte weiche dichte "
    "kleiner größer über unter zwischen suche zeige oder auch kein keine keinen blei eisen sauerstoff stickstoff "
    "metalle kubisch",
    "French": "sans avec une des les pour dans qui matériau matériaux cristal cristaux oxyde oxydes plomb fer azote "
    "oxygène dur est sont ou et entre moins plus que du aux haute bande interdite semi-conducteur composé composés",
    "Spanish": "sin con una los las para que del material materiales cristales óxido óxidos plomo hierro nitruro "
    "entre mayor menor y el densidad semiconductor semiconductores banda prohibida duro alta baja compuestos",
    "Italian": "senza con una gli per che della delle degli materiale materiali cristalli ossido ossidi piombo ferro "
    "tra fra e il semiconduttore semiconduttori banda duro alta bassa composti di",
    "Portuguese": "sem com uma para dos das não cristais óxido chumbo ferro entre maior menor semicondutor o banda "
    "proibida",
}
# Those that are English words or names of chemistry as well do not count alone.
_SHARED = frozenset(
    "des les plus du con per fer das ist der den material o e y el est sort bande banda que entre des los las del di "
    "sin fra tra stoff alta ou et il unter dem ein auch semiconductor dur una par for est sont moins".split()
)
_LETTERS = re.compile(r"[^\W\d_]+")
_OTHER_SCRIPT = re.compile(
    r"[\u0400-\u04ff\u0590-\u06ff\u0900-\u097f\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


def foreign_language(text: str) -> str | None:
    """
    Return the name of the language of a text if it is not English, as far as its short words tell.

    Args:
        text: A query.

    Returns:
        Such as `German`, `another language` for another script, or `None`.
    """
    if len(_OTHER_SCRIPT.findall(text)) >= 2:
        return "another language"
    words = [word.lower() for word in _LETTERS.findall(text)]
    english = sum(word in FUNCTION_WORDS for word in words)
    best, most = None, 0.0
    for language, listed in _FOREIGN.items():
        known = frozenset(word for word in listed.split() if len(word) > 1)
        found = [word for word in words if word in known]
        # A word that English shares counts by half.
        weight = sum(0.5 if word in _SHARED or word in FUNCTION_WORDS else 1.0 for word in found)
        if weight > most:
            best, most = language, weight
    return best if most >= 1.0 and most > english / 2 else None


__all__ = ["FUNCTION_WORDS", "foreign_language"]
