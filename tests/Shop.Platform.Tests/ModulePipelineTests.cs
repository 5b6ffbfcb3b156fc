using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Shop.Platform.Http;
using Shop.Platform.Modules;

namespace Shop.Platform.Tests;

internal sealed class ModulePipelineTests
{
    [Test]
    public async Task Given_modules_that_start_at_once_then_the_host_has_the_routes_of_each()
    {
        const int Times = 300;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.AddPlatform(TestSettings.Read(), new BuildInfo("1.0.0", ""));
        foreach (ModuleIdentity identity in TestSettings.Modules)
        {
            IShopModule module = Substitute.For<IShopModule>();
            module.Identity.Returns(
                identity.Name == "inventory" ? identity with { Faults = TestSettings.Faults } : identity);
            builder.AddModule(module);
        }

        await using WebApplication host = builder.Build();
        IShopModule[] modules = [.. host.Services.GetServices<IShopModule>()];
        using var together = new Barrier(modules.Length);
        await Task.WhenAll(modules.Select(module => Task.Factory.StartNew(() =>
        {
            try
            {
                for (int i = 0; i < Times; i++)
                {
                    together.SignalAndWait(); // so that they meet where each adds its routes
                    ModulePipeline.Build(host.Services, module,
                        host.Services.GetRequiredKeyedService<ModuleListener>(module.Identity.Name));
                }
            }
            finally
            {
                together.RemoveParticipant(); // the others don't wait for one that has failed
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        var routes = (CompositeEndpointDataSource)host.Services.GetRequiredService<EndpointDataSource>();
        Assert.That(routes.DataSources.Count(source => source is not null), Is.EqualTo(Times * modules.Length));
    }
}
