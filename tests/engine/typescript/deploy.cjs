// Deploys a compiled program with the engine: node deploy.cjs FOLDER PROJECT MODULE. The Automation API runs it in this
// process, so no language host is needed. What it has deployed is JSON on the last line.
const path = require("path");
const [folder, project, module_] = process.argv.slice(2);
const automation = require(require.resolve("@pulumi/pulumi/automation", { paths: [project] }));

async function main() {
    const pulumiCommand = await automation.PulumiCommand.get({ root: folder, skipVersionCheck: true });
    const program = async () => ({ ...require(path.join(project, module_)) });
    const stack = await automation.LocalWorkspace.createOrSelectStack(
        { stackName: "dev", projectName: "rotation-guard-typescript", program },
        { workDir: project, pulumiCommand },
    );
    await stack.setConfig("pagerUrl", { value: "https://pager.example.com/hook", secret: true });
    const up = await stack.up();
    const outputs = Object.fromEntries(Object.entries(up.outputs).map(([name, output]) => [name, output.value]));
    const { resources } = (await stack.exportStack()).deployment;
    console.log(JSON.stringify({ outputs, changes: up.summary.resourceChanges, resources }));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
