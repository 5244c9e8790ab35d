// SPDX-License-Identifier: GPL-3.0-or-later

/** How the page looks, on paper as on a phone, by day and by night. */
export const STYLE = `
:root{color-scheme:light dark;--ground:#fff;--raised:#f4f5f7;--ink:#1b1f24;--soft:#5b6570;--line:#dde1e6;
--network:#d9480f;--inflate:#6741d9;--opening:#868e96;--programs:#b6bdc6;--request:#1098ad;--critical:#c92a2a}
@media(prefers-color-scheme:dark){:root{--ground:#14171b;--raised:#1e2329;--ink:#e8ebee;--soft:#9aa5b1;--line:#323941;
--network:#ff922b;--inflate:#9f85ff;--opening:#a3adb8;--programs:#4b545e;--request:#3bc9db;--critical:#ff8787}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:100rem;background:var(--ground);color:var(--ink);font:.875rem/1.45 system-ui,sans-serif}
h1{font-size:1.25rem;margin:0 0 .5rem;overflow-wrap:anywhere}h2{font-size:1rem;margin:1.75rem 0 .5rem}
p{margin:.4rem 0;max-width:75ch}.soft,figcaption,dt{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.5rem 0}dd{margin:0;overflow-wrap:anywhere}
code,.name:not(.what){font-family:ui-monospace,monospace;font-size:.8125rem}
figure{margin:1rem 0}
.parts{display:flex;height:1.5rem;border-radius:.25rem;overflow:hidden;background:var(--raised)}
.parts i{display:block;height:100%}
.key{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:.5rem 0;padding:0}
.key i{display:inline-block;width:.8rem;height:.8rem;border-radius:.15rem;margin-right:.4rem;vertical-align:-.1rem}
.key .tick{width:2px;margin:0 .75rem 0 .35rem;border-radius:0}
.network{background:var(--network)}.inflate{background:var(--inflate)}.opening{background:var(--opening)}
.programs{background:repeating-linear-gradient(135deg,var(--programs) 0 3px,transparent 3px 6px)}
.request{background:var(--request)}.before{background:repeating-linear-gradient(90deg,var(--request) 0 2px,transparent 2px 4px)}
.tick{background:var(--ink)}
.bytes svg{display:block;width:100%;height:6rem;background:var(--raised)}
path.came{fill:var(--request);opacity:.45}path.asked{fill:none;stroke:var(--ink);stroke-width:1.5;vector-effect:non-scaling-stroke}
b.came{border-bottom:.2rem solid var(--request)}b.asked{border-bottom:.15rem solid var(--ink)}b{font-weight:600;color:var(--ink)}
.scale{position:relative;display:block;height:1.3rem;font-size:.75rem;color:var(--soft)}
.scale span{position:absolute;padding-left:.2rem;border-left:1px solid var(--line);white-space:nowrap}
.scale .last{transform:translateX(-100%);padding:0 .2rem 0 0;border-left:0;border-right:1px solid var(--line)}
fieldset{border:0;margin:.5rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
fieldset label{padding:.2rem 0}
.row summary,.head{display:grid;grid-template-columns:minmax(10rem,26rem) 2.5rem 5rem 9rem minmax(14rem,1fr);gap:0 .75rem;align-items:center}
.head{position:sticky;top:0;z-index:1;padding:.25rem 0;background:var(--ground);border-bottom:1px solid var(--line);font-size:.75rem;color:var(--soft)}
.row{border-bottom:1px solid var(--line)}
summary{cursor:pointer;list-style:none;padding:.1rem 0}summary::-webkit-details-marker{display:none}
summary:hover,.row[open]{background:var(--raised)}summary:focus-visible{outline:2px solid var(--request)}
.name{display:flex;min-width:0;overflow:hidden}.name .in{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--soft)}
.name .last{white-space:nowrap;flex:0 1 auto;min-width:45%;overflow:hidden;text-overflow:ellipsis}
.name .in+.last{min-width:min-content;max-width:100%}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.critical .name .last{font-weight:700}.critical .why::after{content:" \\25CF";color:var(--critical)}.dot{color:var(--critical)}
.bar{position:relative;display:block;height:1.3rem;background-image:linear-gradient(var(--line),var(--line));background-size:1px 100%;background-repeat:no-repeat;overflow:hidden}
.bar i{position:absolute;min-width:1px}.bar .line{top:.9rem;height:.2rem}.bar .wait{top:.2rem;height:.65rem;min-width:2px}.bar .tick{top:0;height:1.1rem;width:2px}
.row p{padding:.1rem .75rem .4rem;margin:0;max-width:none;overflow-wrap:anywhere}
.left{display:grid;grid-template-columns:minmax(0,1fr) max-content;gap:.1rem 1rem}
body:has(#waited:checked) .file:not(.waited),body:has(#path:checked) .file:not(.critical){display:none}
@media(max-width:60rem){.row summary,.head{grid-template-columns:minmax(0,1fr) max-content max-content}
.name{grid-column:1/-1;flex-wrap:wrap}.name .in,.name .last{white-space:normal;overflow-wrap:anywhere;overflow:visible;min-width:0!important}
.head>span:not(.scale){display:none}.layer::before{content:"layer "}.head .scale,.bar{grid-column:1/-1}.why{grid-column:1;grid-row:2;text-align:left}
.left{grid-template-columns:minmax(0,1fr)}.left .number{text-align:left;margin-bottom:.4rem}dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}}
@media(max-width:40rem){.scale span:nth-child(even){display:none}}
@media print{.head{position:static}fieldset{display:none}}
`;
