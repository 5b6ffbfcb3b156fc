using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace Shop.Pages.Tests;

/// <summary>What axe finds on a page by the rules of WCAG 2.2, levels A and AA.</summary>
internal static class Accessibility
{
    public static async Task HasNoViolationsAsync(IPage page)
    {
        string[] rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
        AxeResult result = await page.RunAxe(
            new AxeRunOptions { RunOnly = new RunOnlyOptions { Type = "tag", Values = [.. rules] } });
        Assert.That(result.Violations.Select(violation =>
                $"{violation.Id}: {violation.Help}: {string.Join(", ", violation.Nodes.Select(node => node.Html))}"),
            Is.Empty);
    }
}
