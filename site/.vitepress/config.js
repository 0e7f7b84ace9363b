import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'
import { slug } from '../slug.ts'

const pages = new URL('../pages/', import.meta.url)

/** The landing page is the table of contents: its headings and the links in its lists. */
function contents() {
  const sections = []
  for (const line of readFileSync(new URL('index.md', pages), 'utf8').split('\n')) {
    const [, heading] = /^## (.+)$/.exec(line) ?? []
    const [, text, link] = /^- \[(.+?)\]\((.+?)\)/.exec(line) ?? []
    if (heading !== undefined) sections.push({ text: heading, items: [] })
    else if (link !== undefined)
      sections.at(-1)?.items.push({ text, link: link.replace(/^\./, '').replace(/(index)?\.md$/, '') })
  }
  return sections
}

/** The modules of the API reference, as its index lists them. */
function reference() {
  const index = readFileSync(new URL('api/index.md', pages), 'utf8')
  return [...index.matchAll(/^- \[(.+?)\]\((.+?)index\.md\)/gm)].map(([, text, link]) => ({
    text,
    link: `/api/${link}`,
  }))
}

export default defineConfig({
  title: 'herdlock',
  description: 'Cache refills without stampedes',
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: '.cache',
  cleanUrls: false,
  markdown: { anchor: { slugify: slug } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'API reference', link: '/api/' },
    ],
    sidebar: [...contents(), { text: 'API reference', link: '/api/', collapsed: true, items: reference() }],
  },
})
