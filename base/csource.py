# SPDX-License-Identifier: GPL-2.0
"""C source text whose places, statements and list elements can be removed, without a compiler."""
import functools
import re

INERT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'
		   r"'(?:\\.|[^'\\\n])*'", re.S)
CPP = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.M)
LABEL = re.compile(r'(?:case\b[^:;{}]*|\w+)\s*:(?!:)')
OPERATORS = (r'\|\|', r'&&', r'(?<!\|)\|(?![|=])')
PAIRS = {'(': ')', '[': ']', '{': '}'}


class RuleError(Exception):
	pass


def blank(match):
	return re.sub(r'[^\n]', ' ', match.group())


class Stmt:
	"""A statement [a, b) of a function: block, label, if, loop or simple."""

	def __init__(self, kind, a, parent):
		self.kind, self.a, self.parent = kind, a, parent
		self.b = a
		self.head, self.then, self.other, self.kids = (a, a), None, None, []

	def walk(self):
		yield self
		for kid in self.kids + [self.then, self.other]:
			if kid:
				yield from kid.walk()


class Source:
	"""One file: its text, and two masks, in which all that is not code is blank.

	Positions are indices into the text; masks have the text's length.  `code'
	has no comments, literals and preprocessor lines.  `full' has the
	preprocessor lines, and is searched for the contents of macros.
	"""

	def __init__(self, text, shell=False):
		self.shell = shell
		self.set(text)

	def set(self, text):
		self.text = text
		for mask in ('code', 'full'):
			self.__dict__.pop(mask, None)

	@functools.cached_property
	def full(self):
		text = self.text if self.shell else INERT.sub(blank, self.text)
		return re.sub(r'\\(?=\n)', ' ', text)

	@functools.cached_property
	def code(self):
		return self.text if self.shell else CPP.sub(blank, INERT.sub(blank, self.text))

	def replace(self, a, b, new=''):
		"""Replace whole tokens and comments, and update the masks without new parsing."""
		line = self.line_start(a)
		if self.text[line:a].lstrip().startswith('#') or self.text[line - 2:line] == '\\\n':
			return self.set(self.text[:a] + new + self.text[b:])
		piece = Source(new, self.shell)
		for name in ('code', 'full'):
			if name in self.__dict__:
				mask = self.__dict__[name]
				self.__dict__[name] = mask[:a] + getattr(piece, name) + mask[b:]
		self.text = self.text[:a] + new + self.text[b:]

	# -- lexical helpers ---------------------------------------------------

	def close(self, i, mask=None):
		"""Index of the bracket that closes the one at i."""
		mask = mask or self.code
		depth = 0
		for m in re.compile(r'[][(){}]').finditer(mask, i):
			depth += 1 if m.group() in PAIRS else -1
			if not depth:
				return m.start()
		raise RuleError('brackets do not match')

	def skip(self, i):
		return re.compile(r'\s*').match(self.code, i).end()

	def line_start(self, i):
		return self.text.rfind('\n', 0, i) + 1

	def line_end(self, i):
		end = self.text.find('\n', i)
		return len(self.text) if end < 0 else end + 1

	def whole_lines(self, a, b, comment=True):
		"""[a, b) with the rest of its lines and the comment right above."""
		start = self.line_start(a)
		if self.text[start:a].strip():
			return a, b
		end = self.line_end(b)
		if self.code[b:end].strip():
			return a, b
		while comment and start:
			m = re.search(r'^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n\Z',
				      self.text[max(0, start - 4000):start], re.S | re.M)
			if not m:
				break
			start -= len(m.group())
		return start, end

	def cut(self, a, b):
		"""Remove [a, b), and a blank line that is superfluous then."""
		self.replace(a, b)
		if self.text[a - 1:a] not in ('', '\n'):
			return
		blank_before = self.text[:a].endswith('\n\n')
		opens = re.search(r'\{\s*\Z' + r'|\bthen\s*\Z' * self.shell, self.code[max(0, a - 2000):a])
		if not a or blank_before or opens:
			self.replace(a, re.compile(r'(?:[ \t]*\n)*').match(self.text, a).end())
		if blank_before and re.compile(r'\s*\}|\Z').match(self.text, a):
			self.replace(a - 1, a)

	# -- places ------------------------------------------------------------

	def place(self, name):
		"""Range [a, b) of the definition of name, and the mask to search."""
		if name == '-':
			return 0, len(self.text), self.code
		word = r'\b%s\b' % name
		if self.shell:
			m = re.search(r'^%s\s*\(\)\s*\{\n.*?^\}\n' % name, self.text, re.M | re.S)
			if m:
				return m.start(), m.end(), self.code
			raise RuleError('no such place')
		for m in re.finditer(word + r'\s*\(', self.code):
			close = self.close(m.end() - 1)
			brace = self.skip(close + 1)
			before = self.code[self.line_start(m.start()):m.start()]
			if self.code[brace:brace + 1] == '{' and not before.startswith('\t'):
				return self.begin(m.start()), self.close(brace) + 1, self.code
		for m in re.finditer(r'(?:\b(?:struct|enum|union)\s+%s|%s\s*(?:\[[^]]*\]\s*)*=)\s*\{' %
				     (word, word), self.code):
			return self.begin(m.start()), self.close(m.end() - 1) + 1, self.code
		for m in re.finditer(r'^[ \t]*#[ \t]*define[ \t]+%s' % word, self.full, re.M):
			return m.start(), CPP.match(self.text, m.start()).end(), self.full
		for m in re.finditer(r'\b%s\s*\(' % name, self.code):
			end = self.skip(self.close(m.end() - 1) + 1)
			if self.code[end] == ';' and \
			   not self.code[self.line_start(m.start()):m.start()].startswith('\t'):
				return self.begin(m.start()), end + 1, self.code
		raise RuleError('no such place')

	def begin(self, i):
		"""Start of the top level declaration around i."""
		return self.skip(max(self.code.rfind(c, 0, i) for c in ';}') + 1)

	# -- statements --------------------------------------------------------

	def parse(self, i, end, parent):
		kids = []
		while self.skip(i) < end:
			kids.append(self.statement(i, parent))
			i = kids[-1].b
		return kids

	def statement(self, i, parent):
		code, i = self.code, self.skip(i)
		s = Stmt('simple', i, parent)
		if code[i] == '{':
			s.kind, s.b = 'block', self.close(i) + 1
			s.kids = self.parse(i + 1, s.b - 1, s)
			return s
		m = LABEL.match(code, i)
		if m and not re.match(r'\w+\s*\?', code[i:m.end()]):
			s.kind, s.b = 'label', m.end()
			return s
		m = re.compile(r'(\w+)\s*').match(code, i)
		word = m.group(1) if m else ''
		paren = m.end() if m else i
		if word == 'do':
			s.kind, s.then = 'loop', self.statement(paren, s)
			s.b = code.index(';', s.then.b) + 1
			return s
		if word and code[paren] == '(' and word not in ('return', 'sizeof'):
			head = (paren, self.close(paren) + 1)
			after = code[self.skip(head[1])]
			if word in ('if', 'for', 'while', 'switch') or after == '{' or \
			   'for_each' in word and after != ';':
				s.kind, s.head = 'if' if word == 'if' else 'loop', head
				s.then = self.statement(head[1], s)
				s.b = s.then.b
				m = re.compile(r'\s*else\b').match(code, s.b)
				if word == 'if' and m:
					s.other = self.statement(m.end(), s)
					s.b = s.other.b
				return s
		while code[i] != ';':
			i = self.close(i) + 1 if code[i] in PAIRS else i + 1
		s.b = i + 1
		return s

	def statements(self, name):
		a, b, _ = self.place(name)
		brace = self.code.index('{', self.close(self.code.index('(', a)))
		return list(self.statement(brace, None).walk())

	def innermost(self, name, anchor, kinds, head=False):
		"""The innermost statements that contain the anchor; head: the outermost with it in their head."""
		hits = []
		for s in self.statements(name):
			a, b = s.head if head else (s.a, s.b)
			if s.kind in kinds and re.search(r'\b(?:%s)\b' % anchor, self.code[a:b]):
				hits.append(s)
		if head:	# the outermost, because the statements inside are part of it
			return [s for s in hits if not any(
				o is not s and o.a <= s.a and s.b <= o.b for o in hits)]
		return [s for s in hits if not any(
			o is not s and s.a <= o.a and o.b <= s.b for o in hits)]

	def remove(self, s):
		"""Remove a statement, and the if or else that it leaves empty."""
		up = s.parent
		if up and (up.kind != 'block' or up.kids == [s] and up.parent and
			   up.parent.kind == 'if'):
			owner, body = (up.parent, up) if up.kind == 'block' else (up, s)
			if owner.other is body:
				return self.replace(owner.then.b, body.b)
			if owner.kind != 'if' or owner.other:
				raise RuleError('the only statement of a loop or before an else')
			return self.settle(owner, None)
		self.cut(*self.whole_lines(s.a, s.b))

	def settle(self, s, keep):
		"""Replace an if whose condition is known by its body keep, or by nothing."""
		if s.parent and s.parent.kind == 'if' and s.parent.other is s:
			if not keep:
				return self.replace(s.parent.then.b, s.b)
			if keep is s.other:
				return self.replace(s.parent.then.b, s.then.b)
			raise RuleError('cannot keep the body of an else if')
		if not keep:
			if s.then and s.parent and s.parent.kind == 'block':
				return self.remove(s)
			raise RuleError('the if is not in a block')
		a, b = self.whole_lines(s.a, s.b)
		if keep.kind == 'block':
			body = self.text[self.line_end(keep.a):self.line_start(keep.b)]
		else:
			body = self.text[self.line_start(keep.a):self.line_end(keep.b)]
		self.replace(a, b, re.sub(r'^\t', '', body, flags=re.M))
		self.join(a)
		block = s.parent
		if block.kids == [s] and block.parent and block.parent.kind == 'if':
			m = re.compile(r' \{(\n\t+[^\n{}]*;)\n\t*\}(?! else)').match(
				self.text, block.a - 1)
			if m:
				self.replace(m.start(), m.end(), m.group(1))

	# -- lists -------------------------------------------------------------

	def group(self, i, a, b, mask):
		"""Innermost bracket or expression around i within [a, b)."""
		depth = 0
		for j in range(i - 1, a - 1, -1):
			c = mask[j]
			if c in ')]}':
				depth += 1
			elif c in PAIRS and depth:
				depth -= 1
			elif c in '([':
				return j + 1, self.close(j, mask)
			elif not depth and c in ';{}':
				break
		else:
			j = a - 1
		m = re.compile(r'\s*(?:#\s*define\s+\w+(?:\([^)]*\))?|return\b|[^;]*?[^=!<>]=(?!=))?').match(
			mask, j + 1)
		end = m.end()
		while end < b and mask[end] not in ';{})]':
			end = self.close(end, mask) + 1 if mask[end] in PAIRS else end + 1
		return m.end(), end

	def split(self, a, b, sep, mask):
		"""Ranges of the elements of [a, b) between separators."""
		parts, start, i = [], a, a
		while i < b:
			m = re.compile(sep).match(mask, i)
			if m:
				parts.append((start, i))
				start = i = m.end()
			else:
				i = self.close(i, mask) + 1 if mask[i] in PAIRS else i + 1
		parts.append((start, b))
		return [(q - len(mask[p:q].lstrip()),
			 p + len(self.text[p:q].rstrip(' \t\n\\'))) for p, q in parts]

	def unlist(self, parts, k):
		"""Remove element k of a list, and its separator, keeping the lines."""
		a, b = parts[k]
		if len(parts) == 1:
			raise RuleError('the only element of its list')
		if k == len(parts) - 1:
			return self.replace(parts[k - 1][1], b)
		after = parts[k + 1][0]
		if '\n' not in self.text[b:after]:
			return self.replace(a, after)
		eol = self.line_end(b)
		if not self.text[self.line_start(a):a].strip():
			return self.replace(self.line_start(a), eol)
		rest = re.sub(r'^\s*(?:,|\|\||&&|\|)', '', self.text[b:eol])
		head = self.text[:a].rstrip(' ')
		self.set(head + (rest if rest.strip() else '\n') + self.text[eol:])
		self.join(len(head))

	def join(self, a):
		"""Append the next line to the line at a, if that line ends in , | or && and the result fits."""
		eol = self.line_end(a)
		line = self.text[self.line_start(a):eol - 1]
		after = self.text[eol:self.line_end(eol)].strip()
		if line.endswith((',', '|', '&&')) and \
		   len((line + ' ' + after).expandtabs()) <= 80:
			self.replace(eol - 1, self.line_end(eol) - 1, ' ' + after)

	def unparen(self, a):
		"""Remove the parentheses that open at a if they contain only one word."""
		m = re.compile(r'\((\s*[!~]*(?:[\w.>-]+)?(?:\([^()]*\))?\s*)\)').match(self.text, a)
		before = re.search(r'(\w*)(\s*)\Z', self.text[:a])
		if m and (before.group(2) or not before.group(1)) and \
		   before.group(1) not in ('if', 'while', 'for', 'switch'):
			self.replace(a, m.end(), m.group(1).strip())
