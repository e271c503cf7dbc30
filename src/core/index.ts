/** The library's public face. Commands and routes import from here and nowhere deeper. */
export { bench, readBenchResult } from "./bench/bench.js";
export { type BenchComparison, caseName, compareBenchResults } from "./bench/compare.js";
export { type BenchMeasure, benchMeasures } from "./bench/measures.js";
export { PromptMaker } from "./bench/prompts.js";
export type { BenchEvent, BenchRequest, BenchRunEvent } from "./bench/request.js";
export type { BenchCase, BenchResult } from "./bench/result.js";
export type { Summary } from "./bench/statistics.js";
export { type Config, readConfig, serverEnvironment } from "./config.js";
export { Engine } from "./engine.js";
export { type ErrorCode, errorTable, HfmsError } from "./errors.js";
export type { BackendReport, DetectedDevice, HardwareReport } from "./hardware/types.js";
export * from "./requests.js";
export { defaultModels } from "./skills/registry.js";
export type { DiscoveredSkill, Skill, SkillModel } from "./skills/types.js";
