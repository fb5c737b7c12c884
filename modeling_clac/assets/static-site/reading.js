// What the Python tokenizer of CLaC reads in a query: word pieces of the plain text, and the values of numbers and
// formulas. Words and patterns come from the package (reading.json). Markup of LaTeX and HTML, water of crystallization,
// variables and solid solutions are left to Python: such formulas are read as words.

const NUMBER_SIGN = { "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9" };
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const LARGEST_AMOUNT = 1000, LARGEST_NUMBER = 100, LARGEST_DENSITY = 30;

export class Reader {
  constructor(tables) {
    this.tables = tables;
    this.ids = new Map(tables.vocabulary.map((piece, id) => [piece, id]));
    this.numbers = new Map(tables.elements.map((symbol, place) => [symbol, place + 1]));
    this.sets = Object.fromEntries(Object.entries(tables.words).map(([name, words]) => [name, new Set(words)]));
    this.patterns = Object.fromEntries(
      Object.entries(tables.patterns).map(([name, source]) => [name, new RegExp(source.replaceAll("(?P<", "(?<"), "y")]),
    );
    this.search = Object.fromEntries(
      Object.entries(tables.patterns).map(([name, source]) => [name, new RegExp(source.replaceAll("(?P<", "(?<"))]),
    );
    this.small = new Map(tables.elements.filter((s) => s in tables.states).map((s) => [s.toLowerCase(), s]));
    const units = Object.keys(tables.units).sort((a, b) => b.length - a.length).map(escapePattern);
    this.unit = new RegExp(`(?:${units.join("|")})(?![\\w³²^])`, "y");
    const symbol = tables.patterns.symbol;
    this.candidate = new RegExp(
      `(?<![\\w.])(?:(?<brackets>[(\\[]{0,12})(?<symbol>${symbol}(?!(?![xyz](?![a-z]))[a-z]))|(?<word>[A-Za-z]+(?:\\([A-Za-z]+\\))?\\d[A-Za-z\\d.()]*|[A-Za-z]+))`, "g");
    this.token = new RegExp(`(${symbol})(?!(?![xyz](?![a-z]))[a-z])|(\\d+\\/\\d+(?!\\d|H-)|\\d+\\.\\d+|\\d+)|([(\\[])|([)\\]])`, "y");
    this.spaced = new RegExp(
      `${symbol}(?!(?![xyz](?![a-z]))[a-z])[\\d.]*(?: ${symbol}(?!(?![xyz](?![a-z]))[a-z])[\\d.]*(?<!\\.)(?![\\w(/-])){1,40}`, "y");
  }

  // Token ids (with [CLS] and [SEP]), kinds and values of a text, each of the same length.
  read(text) {
    const plain = this.plainText(text);
    const ids = [this.ids.get("[CLS]")], spans = [[0, 0]];
    for (const [piece, start, end] of this.pieces(plain.text)) {
      ids.push(piece);
      spans.push([start, end]);
    }
    ids.push(this.ids.get("[SEP]"));
    spans.push([0, 0]);
    const kinds = new Array(ids.length).fill(0), values = new Array(ids.length).fill(0);
    for (const [start, end, kind, value] of plain.quantities) {
      for (let token = 0; token < ids.length; token++) {
        const [first, last] = spans[token];
        if (last <= first || last <= start) continue;
        if (first >= end) break;
        kinds[token] = kind;
        values[token] = value;
        if (kind < this.tables.number) break; // an element: its first piece only
      }
    }
    return { ids, kinds, values, plain: plain.text };
  }

  // -------------------- word pieces, as the tokenizer of an uncased BERT makes them
  *pieces(text) {
    for (const word of words(text)) {
      const characters = word.map(([character]) => character);
      if (characters.length > 100) {
        yield [this.ids.get("[UNK]"), word[0][1], word.at(-1)[2]];
        continue;
      }
      const found = [];
      for (let start = 0; start < characters.length; ) {
        let end = characters.length, id;
        for (; end > start; end--) {
          id = this.ids.get((start ? "##" : "") + characters.slice(start, end).join(""));
          if (id !== undefined) break;
        }
        if (id === undefined) {
          found.length = 0;
          found.push([this.ids.get("[UNK]"), word[0][1], word.at(-1)[2]]);
          break;
        }
        found.push([id, word[start][1], word[end - 1][2]]);
        start = end;
      }
      yield* found;
    }
  }

  // -------------------- the plain text and its quantities
  plainText(text) {
    const flat = [...text].length === text.length ? text.replace(/[₀-₉]/g, (c) => SUBSCRIPTS.indexOf(c)) : text;
    const formulas = this.findFormulas(flat);
    const numbers = this.findNumbers(text, formulas);
    const parts = [...formulas, ...numbers.filter((number) => number.plain)].sort((a, b) => a.start - b.start);
    let plain = "", done = 0;
    const quantities = [], copied = [];
    const copy = (end) => {
      copied.push([done, plain.length, end]);
      plain += text.slice(done, end);
      done = end;
    };
    for (const part of parts) {
      if (part.start < done) continue;
      if (part.parts) {
        if (part.role !== "composition" && part.plain !== this.tables.strukturbericht) continue;
        const total = part.parts.reduce((sum, own) => sum + own.amount, 0);
        copy(part.start);
        let previous = "(", place = 0;
        for (const piece of part.pieces) {
          if (/[A-Z]/.test(piece[0])) {
            if (!"([".includes(previous)) plain += " ";
            const own = part.parts[place++];
            quantities.push([plain.length, plain.length + piece.length, this.numbers.get(own.symbol), own.amount / total]);
          }
          plain += piece;
          previous = piece;
        }
        done = part.end;
      } else {
        copy(part.start);
        const [value, unit] = part.plain;
        quantities.push([plain.length, plain.length + value.length, part.kind, part.value]);
        plain += value + (unit ? ` ${unit}` : "");
        done = part.stop;
      }
    }
    copy(text.length);
    for (const number of numbers.filter((own) => !own.plain)) {
      const from = copied.findLast(([start, , end]) => start <= number.start && number.start < end);
      if (!from) continue;
      const start = from[1] + number.start - from[0];
      quantities.push([start, start + number.end - number.start, number.kind, number.value]);
    }
    return { text: plain, quantities: quantities.sort((a, b) => a[0] - b[0]) };
  }

  // -------------------- formulas
  findFormulas(text) {
    const found = [];
    let place = 0;
    this.candidate.lastIndex = 0;
    for (let match; (match = this.candidate.exec(text)); ) {
      if (match.index < place) continue;
      const formula = this.formulaAt(text, match);
      // `GaN:Mg`, `NaYF4:Yb,Er`
      const separator = found.at(-1)?.role === "dopant" ? "," : ":";
      if (formula?.role && place > 0 && formula.start === place + 1 && text[place] === separator) formula.role = "dopant";
      if (formula) {
        if (formula.role) found.push(formula);
        place = formula.end;
      }
    }
    return found;
  }

  formulaAt(text, match) {
    const { brackets, symbol, word } = match.groups;
    const first = match.index + (brackets ?? "").length;
    const begin = symbol === undefined ? match.index : first;
    const acronym = this.match("layered", text, begin) ?? this.match("acronym", text, begin);
    if (acronym) {
      const parsed = this.ofAcronym(text, begin, acronym);
      return parsed && { ...parsed, start: begin, end: begin + acronym[0].length, role: "composition" };
    }
    if (word !== undefined) return this.restored(text, match.index);
    let parsed = null, start = match.index;
    for (; start <= first; start++) {
      parsed = this.parse(text, start);
      if (parsed) break;
    }
    if (!parsed) return this.restored(text, first);
    if (parsed.parts.length === 1) {
      const spaced = this.spacedFormula(text, start);
      if (spaced) return spaced;
      return { ...parsed, role: this.roleOfElement(text, start, parsed) };
    }
    const own = text.slice(start, parsed.end);
    if ((isUpper(own) && (/^[A-Za-z]+$/.test(own) || !this.isBalanced(parsed))) || own.includes("Po")) {
      const restored = this.restored(text, start);
      if (restored) return restored;
    }
    return { ...parsed, role: this.roleOfCompound(text, start, parsed) };
  }

  // The formula of an acronym: YBCO, NMC 811.
  ofAcronym(text, begin, acronym) {
    const { acronyms, needs } = this.tables, [name] = acronym, tenths = acronym.groups?.tenths;
    if (!tenths) {
      const means = !needs[name] || text.trim() === name || new RegExp(needs[name], "y").test(text.slice(begin + name.length));
      return means ? this.parse(acronyms[name], 0, true) : null;
    }
    const metals = name.startsWith("NMC") ? ["Ni", "Mn", "Co"] : ["Ni", "Co", "Mn"], shares = [...tenths].map(Number);
    if (tenths === "111") return this.parse(acronyms.NMC, 0, true);
    if (shares[0] + shares[1] + shares[2] !== 10) return null;
    return this.parse(`Li${metals.map((metal, place) => (shares[place] ? `${metal}0.${shares[place]}` : "")).join("")}O2`, 0, true);
  }

  // The formula that begins at a place: symbols, amounts and brackets. Null if a letter or digit follows it.
  parse(text, start, whole = false) {
    const parts = [], open = [];
    let pieces = [], last = null, place = start;
    for (;;) {
      this.token.lastIndex = place;
      const match = this.token.exec(text);
      if (!match) break;
      const [token, symbol, amount, opening, closing] = match;
      if (symbol) {
        parts.push({ symbol, amount: 1, end: place + token.length });
        last = [parts.length - 1, parts.length];
        pieces.push(token);
      } else if (amount) {
        if (!last) break;
        const [above, below = 1] = amount.split("/").map(Number), number = above / below;
        if (!(number > 0 && number < Infinity)) return null;
        for (const part of parts.slice(...last)) part.amount *= number;
        if (number !== 1) pieces.push(written(number));
        last = null;
      } else if (opening) {
        if (!whole && !open.length && parts.length && /^\([A-Z]\)(?![\dA-Za-z(])/.test(text.slice(place))) break;
        open.push([opening, parts.length, pieces.length, place]);
        pieces.push(token);
        last = null;
      } else {
        const group = open.at(-1);
        if (!group || (group[0] === "(") !== (closing === ")") || group[1] === parts.length) break;
        open.pop();
        pieces.push(token);
        last = [group[1], parts.length];
      }
      place += token.length;
    }
    if (open.length) {
      const [, part, piece, from] = open[0];
      parts.length = part;
      pieces = pieces.slice(0, piece);
      place = from;
    }
    if (!parts.length || /[\p{L}\p{N}_]/u.test(text[place] ?? "")) return null;
    if (!whole && pieces.length && "([".includes(pieces[0]) && ")]".includes(pieces.at(-1))) return null;
    if (whole && place !== text.length) return null;
    // Variables, shares of a site and water are not read here.
    if (!whole && /^(?:[-−–+±][xyzδ]|[·•∙⋅])/.test(text.slice(place))) return null;
    const anion = this.match("anion", text, start + (text.slice(start).match(/^[(\[]*/)[0].length));
    const ends = anion && anion.index + anion[0].length;
    const charged = /^\+(?![A-Za-z0-9+])/.test(text.slice(place)) || (ends === place + 1 && !/[\w-]/.test(text[ends] ?? ""));
    if (charged) place += 1;
    return { start, end: place, parts, pieces, plain: pieces.join(""), charged };
  }

  spacedFormula(text, start) {
    this.spaced.lastIndex = start;
    const match = this.spaced.exec(text);
    if (!match) return null;
    let units = match[0].split(" ");
    const given = units.map((unit) => /\d$/.test(unit));
    if (match[0] !== text.trim() || !given.some(Boolean)) {
      while (given.length && !given.at(-1)) given.pop();
      if (!given.length) return null;
      const all = given.includes(false) ? given.indexOf(false) : given.length;
      if (all > 1) given.length = all;
      else if (this.sets.not_elements.has(units[0]) || this.full("symmetry", units[given.length - 1])) return null;
    }
    units = units.slice(0, given.length);
    if (units.length < 2) return null;
    const parsed = this.parse(units.join(""), 0, true);
    if (!parsed || parsed.charged) return null;
    return { ...parsed, start, end: start + units.join(" ").length, role: "composition" };
  }

  roleOfElement(text, start, parsed) {
    const { symbol, amount } = parsed.parts[0], end = parsed.end, word = text.slice(start, end);
    const number = word.slice(symbol.length).replace("+", "");
    const before = text[start - 1] ?? "", behind = text[end] ?? "";
    if (/(?<![\d.])0\d/.test(number) || amount > LARGEST_NUMBER) return null;
    if (symbol !== "He" && !number && this.match("subject_behind", text, end)) return "composition";
    if (parsed.charged) return symbol.length === 2 || "HKFIOSN".includes(symbol) || number ? "ion" : null;
    if (number && this.full("symmetry", word) && !this.sets.molecules.has(word)) return null;
    const alone = text.trim().replace(/[.?!]+$/, "") === word;
    if ((alone && !this.sets.other_meaning.has(symbol)) || this.match("crystal_system", text, end)) return "composition";
    if ((number ? this.sets.never_elements : this.sets.not_elements).has(symbol)) return null;
    if (word === this.tables.strukturbericht) return "prototype";
    if (symbol.length === 1 && !this.sets.molecules.has(word)) return null;
    if (behind === ":" && (/[a-z]/.test(text[end + 1] ?? "") || this.isHost(text, end + 1))) return "dopant";
    if ("-–".includes(behind) && behind) return null;
    if ("-–−".includes(before) && before && !/(?<![A-Za-z])(?:[a-zα-ω]|poly|nano|bulk|mono)-$/.test(text.slice(0, start))) return null;
    if (/^\([IV]\)/.test(text.slice(end))) return "ion";
    if (symbol === "Tc" && (this.match("tc_behind", text, end) || /\b(?:high|low|critical|superconducting|the|a|its)\s\(?$/i.test(text.slice(0, start)))) return null;
    if (number === "1") return null;
    if (this.ends("not_element_before", text.slice(0, start)) || this.match("not_element_behind", text, end)) return null;
    return "composition";
  }

  roleOfCompound(text, start, parsed) {
    const word = text.slice(start, parsed.end), sets = this.sets;
    if (parsed.parts.some((part) => part.amount > LARGEST_AMOUNT) || /(?<![\d.])0\d/.test(word)) return null;
    if (this.match("subject_behind", text, parsed.end)) return "composition";
    if (sets.not_compounds.has(word) || this.full("plural", word)) return null;
    for (let i = 1; i < parsed.parts.length; i++) {
      const [one, two] = [parsed.parts[i - 1], parsed.parts[i]];
      if (one.symbol === two.symbol && one.end === two.end - two.symbol.length) return null; // II, CC
    }
    if (parsed.charged) return "ion";
    if (isUpper(word)) {
      if (/^[A-Z]+$/.test(word)) {
        const alone = text.trim().replace(/[.?!]+$/, "") === word;
        const listed = this.inCapitals(text, start, parsed.end) ? sets.capitals_in_capitals : sets.capitals;
        if (!(alone ? sets.capitals_alone : listed).has(word)) return null;
        if (word === "CO" && (text[parsed.end] === "-" || text[start - 1] === "-")) return null;
      } else if (sets.numbered_acronyms.has(word.replace(/[\d.]+$/, ""))) return null;
      else if (/(?<![\d.])1(?![\d.])/.test(word) && !parsed.parts.every((part) => /\d/.test(text[part.end] ?? ""))) return null;
    }
    return sets.prototypes.has(word) && text.startsWith("-type", parsed.end) ? "prototype" : "composition";
  }

  // Whether a compound begins at a place, as in `Nd:YAG` and `Mg:GaN`.
  isHost(text, start) {
    if (this.match("acronym", text, start)) return true;
    const parsed = /[A-Z]/.test(text[start] ?? "") ? this.parse(text, start) : null;
    return parsed !== null && parsed.parts.length > 1;
  }

  inCapitals(text, start, end) {
    return this.ends("capital_before", text.slice(0, start)) || Boolean(this.match("capital_word", text, end));
  }

  // -------------------- formulas whose capitals were lost: lifepo4
  restored(text, start) {
    const match = /^[A-Za-z\d.()]+/.exec(text.slice(start));
    if (!match) return null;
    let word = match[0].replace(/\.+$/, "");
    while (word.endsWith(")") && count(word, ")") > count(word, "(")) word = word.slice(0, -1).replace(/\.+$/, "");
    const end = start + word.length;
    if (/[\p{L}\p{N}_]/u.test(text[end] ?? "")) return null;
    if (/^[A-Za-z]+$/.test(word) && text.trim().replace(/[.?!]+$/, "") !== word) {
      const inLine = isUpper(word) && this.inCapitals(text, start, end);
      if ((word.length < 4 && word !== word.toLowerCase() && !inLine) || this.sets.lost_words.has(word)) return null;
    }
    const formula = this.restoreCapitals(word);
    if (!formula || formula === word) return null;
    const parsed = this.parse(formula, 0, true);
    return parsed && { ...parsed, start, end, role: "composition" };
  }

  restoreCapitals(word) {
    const phosphate = /Po(?=[34](?!\.?\d))/g;
    if (phosphate.test(word)) {
      const own = word.replace(/Po(?=[34](?!\.?\d))/g, "PO");
      const parsed = this.parse(own, 0, true);
      return parsed && this.isBalanced(parsed) ? own : null;
    }
    const small = word.toLowerCase();
    if (this.tables.caseless[small]) return this.tables.caseless[small];
    const capital = small[0].toUpperCase() + small.slice(1);
    if (![small, word.toUpperCase(), capital].includes(word) || !/^[a-z0-9.()]+$/.test(small)) return null;
    if (small.length > 24 || /[a-z]{9}/.test(small) || this.sets.numbered_words.has(small.replace(/\d+$/, ""))) return null;
    if (!/[a-z)]\d/.test(small) || /(?<![\d.])[01](?![\d.])/.test(small)) return null;
    let readings = this.readings(small).filter((reading) => this.isSensible(reading));
    const sizes = readings.map((reading) => this.symbols(reading).length);
    readings = readings.filter((_, place) => sizes[place] === Math.min(...sizes));
    return readings.length === 1 ? readings[0] : null;
  }

  readings(small) {
    const endings = { [small.length]: [""] };
    for (let place = small.length - 1; place >= 0; place--) {
      let found = [];
      if (!/[a-z]/.test(small[place])) found = endings[place + 1].map((ending) => small[place] + ending);
      else {
        for (const length of [1, 2]) {
          const symbol = place + length <= small.length ? this.small.get(small.slice(place, place + length)) : undefined;
          if (symbol?.length === length) found.push(...endings[place + length].map((ending) => symbol + ending));
        }
      }
      endings[place] = found.slice(0, 256);
    }
    return endings[0];
  }

  symbols(reading) {
    return reading.match(new RegExp(this.tables.patterns.symbol, "g")) ?? [];
  }

  isSensible(reading) {
    const symbols = this.symbols(reading), parsed = this.parse(reading, 0, true), { nonmetals } = this.tables;
    if (!parsed || parsed.charged || symbols.length < 2 || symbols.length > 6 || new Set(symbols).size < symbols.length) return false;
    const values = symbols.map((symbol) => nonmetals[symbol] ?? 0), others = symbols.filter((symbol) => symbol in nonmetals);
    const hydroxide = reading.includes("(OH)");
    if ((others.length === symbols.length && symbols.length > 2) || this.sets.not_first.has(symbols[0]) || (others.length > 1 && !this.sets.last.has(others.at(-1))))
      return hydroxide && this.isBalanced(parsed);
    const ordered = values.every((value, place) => !place || values[place - 1] <= 0 || values[place - 1] <= value);
    return (ordered || hydroxide) && this.isBalanced(parsed);
  }

  isBalanced(parsed) {
    let totals = [[0, 0]];
    for (const { symbol, amount } of parsed.parts) {
      const states = this.tables.states[symbol] ?? [0];
      const ranges = states.map((state) => [state * amount, state * amount]);
      if (amount === 2 && (symbol === "O" || symbol === "S")) ranges.push([-2, -2]);
      if (!(symbol in this.tables.nonmetals)) ranges.push([Math.min(...states) * amount, Math.max(...states) * amount]);
      const seen = new Map();
      for (const [low, high] of totals) for (const [a, b] of ranges) seen.set(`${low + a} ${high + b}`, [low + a, high + b]);
      totals = [...seen.values()];
    }
    return totals.some(([low, high]) => low <= 1e-6 && high >= -1e-6);
  }

  // -------------------- numbers
  findNumbers(text, formulas) {
    const found = [], pattern = new RegExp(this.tables.patterns.number, "g");
    for (let match; (match = pattern.exec(text)); ) {
      const start = match.index, end = start + match[0].length;
      if (found.length && start < found.at(-1).stop) continue;
      const [unit, stop] = this.unitBehind(text, end);
      if ((!unit && /[\p{L}\p{N}]/u.test(text[end] ?? "")) || text[end] === "_") continue;
      const bound = this.ends("bound", text.slice(Math.max(0, start - 24), start)) || Boolean(this.match("bound_behind", text, stop));
      found.push({ start, end, stop, unit, bound, value: readNumber(match[0]) });
      if (found.length > 1) this.join(text, found.at(-2), found.at(-1));
    }
    return found
      .filter((own) => !formulas.some((formula) => formula.start < own.end && own.start < formula.end))
      .filter((own) => !own.unit?.length && !this.match("geometry", text, own.end))
      .map((own) => this.canonical(text, own));
  }

  unitBehind(text, place) {
    let start = place;
    while (" ~\u00a0\u202f".includes(text[start] ?? "x") && start - place < 2) start++;
    this.unit.lastIndex = start;
    const match = this.unit.exec(text);
    return match ? [this.tables.units[match[0]], start + match[0].length] : [null, place];
  }

  join(text, first, second) {
    const between = text.slice(first.stop, second.start);
    const isRange = /^\s?(?:[-–—]|to|±|\+\/-)\s?$/.test(between);
    if (!isRange && !(between.trim() === "and" && first.bound && second.bound)) return;
    first.unit ??= second.unit;
    first.bound ||= !(between.includes("±") || between.includes("+/-"));
    second.bound = true;
  }

  canonical(text, own) {
    const { unit, value } = own, spelled = text.slice(own.end, own.stop);
    let plain = null;
    if (unit?.canonical) {
      if (spelled && ![` ${unit.canonical}`, " eV per atom", " Å³ per atom"].includes(spelled)) plain = [text.slice(own.start, own.end), unit.canonical];
    } else if (unit?.to) {
      const converted = value * unit.factor;
      if (Math.abs(converted) >= 1e-3 && Math.abs(converted) < 1e5) plain = [String(Number(converted.toPrecision(6))), spelled ? unit.to : ""];
    }
    const read = plain ? readNumber(plain[0]) : value;
    const inDensity = plain ? plain[1] === "g/cm³" : unit?.canonical === "g/cm³";
    const isDensity = inDensity && !own.bound && read > 0 && read <= LARGEST_DENSITY;
    return { ...own, plain, value: read, kind: isDensity ? this.tables.density : this.tables.number };
  }

  // -------------------- patterns
  match(name, text, place) {
    this.patterns[name].lastIndex = place;
    return this.patterns[name].exec(text);
  }

  ends(name, before) {
    return this.search[name].test(before);
  }

  full(name, word) {
    const match = this.match(name, word, 0);
    return Boolean(match && match[0].length === word.length);
  }
}

// Words of a text as the pre-tokenizer of BERT splits it, each a list of [character, start, end].
function words(text) {
  const found = [];
  let word = [];
  const close = () => { if (word.length) found.push(word); word = []; };
  for (let place = 0; place < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(place)), end = place + character.length;
    const own = character.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();
    if (/\s/u.test(character)) close();
    else if (!/[\p{Cc}\p{Cf}\p{Co}\ufffd]/u.test(character)) {
      for (const single of own) {
        if (/[!-/:-@[-`{-~]|\p{P}/u.test(single) || /\p{Script=Han}/u.test(single)) {
          close();
          found.push([[single, place, end]]);
        } else word.push([single, place, end]);
      }
    }
    place = end;
  }
  close();
  return found;
}

function readNumber(word) {
  let exponent = 0;
  const power = /\s?[×x·⋅*]\s?10\s?(?:\^\s?\{?(?<line>[-−+]?\d+)\}?|(?<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))$/.exec(word);
  if (power) {
    word = word.slice(0, power.index);
    const digits = (power.groups.line ?? power.groups.raised.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]/g, (c) => NUMBER_SIGN[c]).replace("⁻", "-").replace("⁺", "")).replace("−", "-");
    exponent = Number(digits);
  }
  const value = Number(word.replace("−", "-").replaceAll(",", "")) * 10 ** exponent;
  return Math.max(-1e30, Math.min(value, 1e30));
}

const isUpper = (word) => word === word.toUpperCase() && word !== word.toLowerCase();
const count = (word, character) => word.split(character).length - 1;
const written = (amount) => amount.toFixed(3).replace(/0+$/, "").replace(/\.$/, "");
const escapePattern = (text) => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
