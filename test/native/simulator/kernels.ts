/** Kernel files as the domain builder reads them: nothing in them but what says that they are kernels. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const EHDR_BYTES = 64
const PHDR_BYTES = 56
const ELFCLASS64 = 2
const ELFDATA2LSB = 1
const EM_X86_64 = 62
const ET_EXEC = 2
const PT_NOTE = 4
/** xen/include/public/elfnote.h */
const XEN_ELFNOTE_GUEST_OS = 6
const XEN_ELFNOTE_PHYS32_ENTRY = 18

/** A kernel for each type of guest, in the folder. */
export function writeKernels(folder: string): { readonly pv: string; readonly pvh: string } {
  const pv = join(folder, 'guest-pv.elf')
  const pvh = join(folder, 'guest-pvh.elf')
  writeFileSync(pv, elf(xenNote(XEN_ELFNOTE_GUEST_OS, Buffer.from('contract\0'))))
  writeFileSync(pvh, elf(xenNote(XEN_ELFNOTE_PHYS32_ENTRY, Buffer.alloc(4))))
  return { pv, pvh }
}

/** An ELF file with one segment of notes. */
function elf(notes: Buffer): Buffer {
  const header = Buffer.alloc(EHDR_BYTES + PHDR_BYTES)
  header.write('\x7fELF', 0, 'latin1')
  header.writeUInt8(ELFCLASS64, 4)
  header.writeUInt8(ELFDATA2LSB, 5)
  header.writeUInt8(1, 6)
  header.writeUInt16LE(ET_EXEC, 16)
  header.writeUInt16LE(EM_X86_64, 18)
  header.writeUInt32LE(1, 20)
  header.writeUInt32LE(EHDR_BYTES, 32) // e_phoff
  header.writeUInt16LE(EHDR_BYTES, 52)
  header.writeUInt16LE(PHDR_BYTES, 54)
  header.writeUInt16LE(1, 56) // e_phnum
  header.writeUInt32LE(PT_NOTE, EHDR_BYTES)
  header.writeUInt32LE(header.length, EHDR_BYTES + 8) // p_offset
  header.writeUInt32LE(notes.length, EHDR_BYTES + 32) // p_filesz
  header.writeUInt32LE(notes.length, EHDR_BYTES + 40)
  return Buffer.concat([header, notes])
}

function xenNote(type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc((value.length + 3) & ~3)
  value.copy(padded)
  const head = Buffer.alloc(12)
  head.writeUInt32LE(4, 0)
  head.writeUInt32LE(value.length, 4)
  head.writeUInt32LE(type, 8)
  return Buffer.concat([head, Buffer.from('Xen\0'), padded])
}
